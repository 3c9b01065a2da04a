"""The applying script of a node: one round trip, all or nothing where possible, and it outlives the connection.

On the node it runs as the transient unit `lbdeploy.service`, so that a laptop that dies leaves no half-done change, and
so that a second run finds the first one: the unit's name serves as a lock. It stages every file beside its
destination, validates it with the node's own binaries, keeps the old content, and swaps by rename. Then it waits for
the laptop to confirm, over a new connection, that all is well. When a step fails, or nobody confirms, it restores the
files and has the services reload them. See docs/decisions/003-node-side-transaction.md.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbdeploy.common import environment
from lbdeploy.common.shell import cmd, here
from lbdeploy.node.drift import NodePlan, ResourceDiff
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources import File, Gone, Packages, Service, Sysctl
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.original import OriginalFile
from lbdeploy.node.resources.package import update_of
from lbdeploy.node.vrrp_priority import HANDOVER, YIELD
from lbdeploy.rollout.origin import Origin
from lbdeploy.rollout.progress import MARK

UNIT = "lbdeploy"
STATE = "/var/lib/lbdeploy"  # the journal, the generations, and what the files were made from
UNITS = "/etc/systemd/system"
RUN = "/run/lbdeploy"
LOCK = f"{RUN}/lock"
FOLLOW_SECONDS = 86400  # more than any task takes
R = TypeVar("R", bound=Resource[Any])


@dataclass(frozen=True, slots=True)
class Task:
    """What a node is to do: its `plan`, but only those services that are named.

    `confirm`: how many seconds the node waits for a confirmation before it undoes everything; 0: none is needed. If the
    laptop is gone, the node undoes everything at once, or `linger` seconds later if it was told to linger. `away`: the
    VIPs that another node must have taken first, within `away_seconds`; `priority_offset` is added to this node's
    priority for that. A `rehearsal` writes the files beside their destinations, validates them, and removes them again.
    `free_vrid`: the virtual router ID that no other host may use when keepalived is started, the interface, and the
    addresses that may use it anyway. `joins`: a daemon is started, and until the end of the task the node leaves the
    VIPs to others, also by `priority_offset`. `script`: steps that replace those of the plan; see `down_steps`.
    """

    plan: NodePlan
    services: tuple[str, ...]
    confirm: int = 0
    linger: int = 0
    away: tuple[str, ...] = ()
    away_seconds: int = 0
    priority_offset: int = YIELD
    rehearsal: bool = False
    free_vrid: tuple[str, ...] = ()
    joins: bool = False
    script: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Transaction:
    """One task on one node: the scripts that begin it, follow it and decide it. See Progress for what they print."""

    def __init__(self, task: Task, origin: Origin) -> None:
        self.task = task
        self.origin = origin
        self.nonce = secrets.token_hex(8)
        self.path = f"{RUN}/{self.nonce}"

    @property
    def log(self) -> str:
        """Where the node writes the task's output, until it has been read to the end."""
        return f"{self.path}.log"

    def launch(self) -> str:
        """POSIX sh for root: starts the task, and prints its output until it waits for the laptop or ends."""
        given = _given(unit=UNIT, who=f"lbdeploy: {self.origin.about}", mark=MARK, run=self.path)
        # Through files owned by root, not through arguments, which every user can see.
        files = self._write("sh", self._body()) + self._write("hosts", self.origin.hosts)
        head = f"{PRELUDE}umask 077\nmkdir -p {RUN}\nchmod 700 {RUN}\n"
        return f"{head}{files}{given}\n{remote_text('launch.sh')}{self._follow(1)}"

    def follow(self, told: int, decision: str = "", limit: int = FOLLOW_SECONDS) -> str:
        """Prints the output after `told` lines, for at most `limit` seconds.

        A `decision` (confirm, abandon, agreed) is passed to the task first.
        """
        decide = f"[ ! -e {self.path}.undo ] || : > {self.path}.{decision}\n" if decision else ""
        return f"{PRELUDE}umask 077\n{decide}{self._follow(told + 1, limit)}"

    def linger(self) -> str:
        """From now on, if the laptop is gone, the task undoes its change only after a peer has undone its own."""
        return f"{PRELUDE}umask 077\n: > {self.path}.linger\n"

    def _follow(self, line: int, limit: int = FOLLOW_SECONDS) -> str:
        given = _given(unit=UNIT, mark=MARK, run=self.path, log=self.log, **{"from": line}, journal=f"{STATE}/journal")
        return f"{given}\nid={cmd(self.origin.id)}\nlimit={limit}\n{remote_text('follow.sh')}"

    def _write(self, ending: str, text: str) -> str:
        return f"cat > {self.path}.{ending} <<'{self.nonce}'\n{text}\n{self.nonce}\n"

    def _body(self) -> str:
        steps = _rehearsal(self.task.plan) if self.task.rehearsal else self.task.script or _steps(self.task)
        return "\n".join((self._begin(), *steps))

    def _begin(self) -> str:
        plan = self.task.plan
        files = [(each, part) for part in plan.parts if isinstance(each := part.resource, File | OriginalFile)]
        given = _given(
            mark=MARK,
            state=STATE,
            units=UNITS,
            lock=LOCK,
            run=self.path,
            id=self.origin.id,
            about=self.origin.about,
            patience=_apt_patience(),
            handover=HANDOVER,
            staged=" ".join(file.staged for file, part in files if part.changes),
            managed=" ".join([*(file.path for file, _ in files), *dropped(plan)]),
            sysctls=" ".join(sysctl.name for sysctl in _all(plan, Sysctl)),
            services=" ".join(service.unit for service in _all(plan, Service)),
            packages=" ".join(name for each in _all(plan, Packages) for name in each.names),
        )
        tools = (*(remote_text(f"{name}.sh") for name in ("transaction", "commit", "original")), *self.task.tools)
        return "\n".join((f"{PRELUDE}{given}", *tools, "begin"))


def _apt_patience() -> int:
    """Seconds to wait for another apt or dpkg."""
    text = os.environ.get(environment.APT_WAIT, "")
    return int(text) if text.isdecimal() else environment.APT_WAIT_SECONDS


def _given(**variables: object) -> str:
    return "\n".join(f"{name}={cmd(value)}" for name, value in variables.items())


def _steps(task: Task) -> list[str]:
    """Everything that the task does on the node, in order."""
    plan = task.plan
    early = [(file, part) for file, part in _needing(plan, File) if _of_apt(file)]
    files = [(file, part) for file, part in _needing(plan, File) if not _of_apt(file)]
    units = [(unit, part) for unit, part in _needing(plan, Service) if unit.unit in task.services]
    late = dropped(plan, late=True)
    apart = bool(early or dropped(plan, late=False))
    return [
        *_listen(task),
        "remember",
        *go_away(task),
        *([f"lower {task.priority_offset}"] if task.joins else []),
        *(_before_packages(plan, early) if apart else []),
        *(_fix(part) for _, part in _needing(plan, Packages)),
        *(["remember_packaged"] if files else []),
        *([f"keep {cmd(*_paths(plan, apart=apart), *late)}"] if files or apart or late else []),
        *_put_in_place(files, units),
        *(line for sysctl, part in _needing(plan, Sysctl) for line in _set(sysctl, part)),
        *(["run systemctl daemon-reload"] if _reloads_units(plan) else []),
        *(line for unit, part in units for line in (*_free_vrid(task, unit), *_bring_up(unit, part))),
        *(f"drop {cmd(path)}" for path in late),
        *(line for packages, part in _needing(plan, Packages) for line in _still_up(packages, part)),
        *(line for unit, part in units for line in unit.enable(part.changes)),
        *([f"await {task.confirm} {task.linger}"] if task.confirm else []),
    ]


def _rehearsal(plan: NodePlan) -> list[str]:
    files = list(_needing(plan, File))
    return ["rehearsal=yes", *_stage(files), *(line for file, _ in files for line in _validate(file))]


def _listen(task: Task) -> list[str]:
    """Listen from the beginning: while packages are being installed, this costs no time."""
    return [f"listen {here(remote_text('listen-vrrp.pl'))}"] if task.free_vrid else []


def _free_vrid(task: Task, service: Service) -> list[str]:
    return [f"free_vrid {cmd(*task.free_vrid)}"] if task.free_vrid and service.unit == "keepalived" else []


def go_away(task: Task) -> list[str]:
    """Have another node take the VIPs first, where the task says so."""
    return [f"give_up_vips {task.away_seconds} {task.priority_offset} {cmd(*task.away)}"] if task.away else []


def _of_apt(file: File) -> bool:
    """Whether apt reads the file, so that it must be in place before packages are installed."""
    return file.path.startswith("/etc/apt/")


def _paths(plan: NodePlan, *, apart: bool) -> list[str]:
    """The files whose old content is kept; `apart`: without apt's, which were kept before packages were installed."""
    return [file.path for file in _all(plan, File) if not (apart and _of_apt(file))]


def dropped(plan: NodePlan, *, late: bool | None = None) -> list[str]:
    """The existing files to be deleted: all, or (`late`) only those deleted at the end, or before packages."""
    chosen = [part for gone, part in _needing(plan, Gone) if late in (None, gone.late)]
    return [change.name for part in chosen for change in part.changes]


def _before_packages(plan: NodePlan, files: Sequence[tuple[File, ResourceDiff]]) -> list[str]:
    """Put apt's files in place, delete what is no longer wanted, and fetch the package lists of new repositories."""
    paths = [file.path for file in _all(plan, File) if _of_apt(file)]
    sources = [file.path for file, _ in files if file.path.endswith(".sources")]
    return [
        *_stage(files),
        f"keep {cmd(*paths, *dropped(plan, late=False))}",
        *(f"swap {cmd(file.path)}" for file, _ in files),
        *(_fix(part) for gone, part in _needing(plan, Gone) if not gone.late),
        *(line for path in sources for line in (f"step 'apt-get update' {path}", f"patiently {update_of(path)}")),
    ]


def _put_in_place(
    files: Sequence[tuple[File, ResourceDiff]], units: Sequence[tuple[Service, ResourceDiff]]
) -> list[str]:
    """New files first, since validators of others may need them; then all others, once all of them are valid."""
    if not files:
        return []
    new = [file for file, part in files if any(change.action == "create" for change in part.changes)]
    old = [file for file, _ in files if file not in new]
    paths = {file.path for file, _ in files}
    readers = [unit for unit, part in units if part.state.running and not paths.isdisjoint(unit.watches)]
    return [
        *_stage(files),
        *(f"undo_last {here(f'systemctl reload {cmd(unit.unit)}')}" for unit in readers),
        *(line for file in new for line in (*_validate(file), f"swap {cmd(file.path)}")),
        *(line for file in old for line in _validate(file)),
        *(f"swap {cmd(file.path)}" for file in old),
    ]


def _stage(files: Sequence[tuple[File, ResourceDiff]]) -> list[str]:
    return ["step write the files", *(_fix(part) for _, part in files)] if files else []


def _all(plan: NodePlan, kind: type[R]) -> Iterator[R]:
    return (part.resource for part in plan.parts if isinstance(part.resource, kind))


def _needing(plan: NodePlan, kind: type[R]) -> Iterator[tuple[R, ResourceDiff]]:
    """The resources of a kind that have something to change."""
    return ((part.resource, part) for part in plan.parts if part.changes and isinstance(part.resource, kind))


def _reloads_units(plan: NodePlan) -> bool:
    changed = [*(file.path for file, _ in _needing(plan, File)), *dropped(plan)]
    units = any(path.startswith("/etc/systemd/") for path in changed)
    return units or any(change.action == "daemon-reload" for change in plan.changes)


def _fix(part: ResourceDiff) -> str:
    return part.resource.fix(part.state, list(part.changes))


def _validate(file: File) -> list[str]:
    """Validate a staged file; any output of the validator is an objection."""
    return [f"validate {cmd(file.path)} {cmd(file.staged)} {here(file.validate)}"] if file.validate else []


def _set(sysctl: Sysctl, part: ResourceDiff) -> list[str]:
    undo = [f"undo {here(cmd('sysctl', '-q', '-w', f'{sysctl.name}={part.state}'))}"] if part.state is not None else []
    return [f"step set {cmd(sysctl.name)}", *undo, f"run {_fix(part)}"]


def _bring_up(service: Service, part: ResourceDiff) -> list[str]:
    """Start, reload or restart, and check that it runs. Only a start is undone here; reloads are undone with files."""
    unit = cmd(service.unit)
    haproxy = service.unit == "haproxy"
    # Undone in reverse: keepalived, started last, is stopped first; and all before their unit files are removed.
    undo = [] if part.state.running else [f"undo {here(f'systemctl stop {unit}')}"]
    before = ["old=$(worker)"] if haproxy else []
    healthy = ['takes_over "$old"'] if haproxy and service.acts(part.changes) else []
    return [*undo, *before, _fix(part), f"run systemctl is-active --quiet {unit}", *healthy]


def _still_up(packages: Packages, part: ResourceDiff) -> list[str]:
    """Debian restarts a daemon when it upgrades or reinstalls it: check that it is running again."""
    units = packages.restarted(part.changes)
    lines = [f"run systemctl is-active --quiet {cmd(unit)}" for unit in units]
    return [*lines, *(["takes_over ''"] if "haproxy" in units else [])]
