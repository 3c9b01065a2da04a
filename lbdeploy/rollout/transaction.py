"""The applying script of a node: one round trip, all or nothing where possible, and it outlives the connection.

On the node it runs as the transient unit `lbdeploy.service`, so that a laptop that dies leaves no half-done change, and
so that a second run finds the first one: the unit's name serves as a lock. It stages every file beside its
destination, validates it with the node's own binaries, keeps the old content, and swaps by rename. Then it waits for
the laptop to confirm, over a new connection, that all is well. When a step fails, or nobody confirms, it restores the
files and has the services reload them. See docs/decisions/003-node-side-transaction.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from lbdeploy.common import environment
from lbdeploy.common.debian import UNITS_FOLDER
from lbdeploy.common.shell import cmd, here, nonce
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.paths import HAPROXY_SOCKET, JOURNAL, LOCK, RUN, STAGED, STATE, UNIT
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources.base import Phase
from lbdeploy.node.vrrp_priority import HANDOVER, YIELD
from lbdeploy.planning.desired import TICKLE_CLIENTS, VRRP_STATE
from lbdeploy.planning.vrrp.members import added, regrouped
from lbdeploy.rollout.progress import MARK
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.steps import Steps

FOLLOW_SECONDS = 86400  # more than any task takes
READY_SECONDS = 900  # how long a node that is ready waits for its peers, as while one installs packages
_TOOLS = ("transaction", "commit", "apt", "original")  # what every applying script has, from node/remote/


@dataclass(frozen=True, slots=True)
class Task:
    """What a node is to do: its `plan`.

    `confirm`: how many seconds the node waits for a confirmation before it undoes everything; 0: none is needed. If the
    laptop is gone, the node undoes everything at once. `linger`: for how many seconds a node that was told to linger
    leaves the VIPs to no peer that is not heard to be as before. `away`: the VIPs that another node must have taken
    first, within `away_seconds`; `priority_offset` is added to this node's priority for that. A `rehearsal` writes the
    files beside their destinations, validates them, and removes them again. `free_vrid`: the virtual router ID that no
    other host may use when keepalived is started, the interface, and the addresses that may use it anyway. `joins`: a
    daemon is started, and until the end of the task the node leaves the VIPs to others, also by `priority_offset`.
    `without`: VIPs that must go away again within `away_seconds`, where they have come meanwhile. `together`: VRRP is
    changed only once the peers are ready for that, too. `script`: steps that replace those of the plan; see
    `down_steps`.
    """

    plan: NodePlan
    confirm: int = 0
    linger: int = 0
    away: tuple[str, ...] = ()
    away_seconds: int = 0
    priority_offset: int = YIELD
    rehearsal: bool = False
    free_vrid: tuple[str, ...] = ()
    joins: bool = False
    without: tuple[str, ...] = ()
    together: bool = False
    script: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Transaction:
    """One task on one node: the scripts that begin it, follow it and decide it. See Progress for what they print."""

    def __init__(self, task: Task, origin: Origin) -> None:
        self.task = task
        self.origin = origin
        self.nonce = nonce()
        self.path = f"{RUN}/{self.nonce}"

    @property
    def log(self) -> str:
        """Where the node writes the task's output, until it has been read to the end."""
        return f"{self.path}.log"

    def launch(self) -> str:
        """POSIX sh for root: starts the task, and prints its output until it waits for the laptop or ends."""
        given = _given(unit=UNIT, about=self.origin.about, lock=LOCK, mark=MARK, run=self.path)
        # Through files owned by root, not through arguments, which every user can see.
        files = self._write("sh", self._body()) + self._write("hosts", self.origin.hosts)
        head = f"{PRELUDE}umask 077\nmkdir -p {RUN}\nchmod 700 {RUN}\n"
        return f"{head}{files}{given}\n{remote_text('launch.sh')}{self._follow(1)}"

    def follow(self, lines_read: int, decision: str = "", limit: int = FOLLOW_SECONDS) -> str:
        """Prints the output after `lines_read` lines, for at most `limit` seconds.

        A `decision` (go, confirm, abandon, agreed) is passed to the task first.
        """
        decide = f"[ ! -e {self.path}.undo ] || : > {self.path}.{decision}\n" if decision else ""
        return f"{PRELUDE}umask 077\n{decide}{self._follow(lines_read + 1, limit)}"

    def linger(self) -> str:
        """From now on, the task undoes its change only once a peer is heard that has undone its own."""
        return f"{PRELUDE}umask 077\necho {self.task.linger} > {self.path}.linger\n"

    def _follow(self, line: int, limit: int = FOLLOW_SECONDS) -> str:
        given = _given(unit=UNIT, mark=MARK, run=self.path, log=self.log, **{"from": line}, journal=JOURNAL)
        given += f"\n{_given(id=self.origin.id, limit=limit, lock=LOCK, about=self.origin.about)}"
        return f"{given}\n{remote_text('follow.sh')}"

    def _write(self, ending: str, text: str) -> str:
        return f"cat > {self.path}.{ending} <<'{self.nonce}'\n{text}\n{self.nonce}\n"

    def _body(self) -> str:
        steps = _rehearsal(self.task.plan) if self.task.rehearsal else self.task.script or _steps(self.task)
        return "\n".join((self._begin(), *steps))

    def _begin(self) -> str:
        lists = [part.given for part in self.task.plan.parts]
        given = _given(
            mark=MARK,
            state=STATE,
            units=UNITS_FOLDER,
            lock=LOCK,
            run=self.path,
            id=self.origin.id,
            about=self.origin.about,
            patience=_apt_patience(),
            handover=HANDOVER,
            socket=HAPROXY_SOCKET,
            suffix=STAGED,
            staged=_words(each.staged for each in lists),
            managed=" ".join(Steps(self.task.plan).paths),
            sysctls=_words(each.sysctls for each in lists),
            services=_words(each.services for each in lists),
            packages=_words(each.packages for each in lists),
        )
        tools = (remote_text(f"{name}.sh") for name in _TOOLS)
        return "\n".join((f"{PRELUDE}{given}", *tools, *self.task.tools, "begin"))


def _apt_patience() -> int:
    """Seconds to wait for another apt or dpkg."""
    text = os.environ.get(environment.APT_WAIT, "")
    return int(text) if text.isdecimal() else environment.APT_WAIT_SECONDS


def _words(lists: Iterable[Sequence[str]]) -> str:
    return " ".join(chain.from_iterable(lists))


def _given(**variables: object) -> str:
    return "\n".join(f"{name}={cmd(value)}" for name, value in variables.items())


def _steps(task: Task) -> list[str]:
    """Everything that a task does on the node, in order. What apt reads must be there before packages are installed."""
    early, late = Steps(task.plan, early=True), Steps(task.plan, early=False)
    moved = regrouped(task.plan)
    came = added(task.plan)
    script = [
        *_listen(task),
        "remember",
        *(["hear"] if task.tools else []),
        *go_away(task),
        *([f"lower {task.priority_offset}"] if task.joins else []),
        *early.staged(),
        *([f"keep {cmd(*early.paths)}"] if early.change_files else []),
        *early.take(Phase.CREATE, Phase.VALIDATE, Phase.SWAP, Phase.STOP, Phase.DROP, Phase.UPDATE),
        *late.take(Phase.INSTALL),
        *(["remember_packaged"] if late.has(Phase.STAGE) else []),
        *_keep(early, late),
        *late.staged(),
        *late.take(Phase.GUARD),
        *([f"undo_last {cmd(_reset_clients())}"] if moved else []),
        *late.take(Phase.STOP, Phase.CREATE, Phase.VALIDATE, Phase.SWAP, Phase.SET),
        *reload_units(early, late),
        *late.take(Phase.BRING_UP),
        *([f"free_vrid {cmd(*task.free_vrid)}"] if task.free_vrid and late.has(Phase.VRRP) else []),
        *([f"still_standby {task.away_seconds} {cmd(*task.without)}"] if task.without else []),
        *([f"ready {READY_SECONDS}"] if task.together else []),
        *(["heed"] if task.tools and late.has(Phase.VRRP) else []),
        *([f"vips_come {cmd(*came)}"] if came else []),
        *late.take(Phase.VRRP, Phase.DROP, Phase.CHECK, Phase.ENABLE),
        *([_reset_clients()] if moved else []),
        *([f"await {task.confirm}"] if task.confirm else []),
    ]
    early.require_all_taken()
    late.require_all_taken()
    return script


def _rehearsal(plan: NodePlan) -> list[str]:
    steps = Steps(plan)
    return ["rehearsal=yes", *steps.staged(), *steps.take(Phase.REHEARSE)]


def _listen(task: Task) -> list[str]:
    """Listen from the beginning: while packages are being installed, this costs no time."""
    return [f"listen {here(remote_text('listen-vrrp.pl'))}"] if task.free_vrid else []


def go_away(task: Task) -> list[str]:
    """Have another node take the VIPs first, where the task says so."""
    return [f"give_up_vips {task.away_seconds} {task.priority_offset} {cmd(*task.away)}"] if task.away else []


def _reset_clients() -> str:
    """Reset the connections to VIPs that another node had, as after a move; the run does not wait for it.

    Where the VIPs come, or come back as a change is undone, to an instance that is MASTER already, its state does not
    change: keepalived runs nothing, and who only reads would never know.
    """
    told = f'read -r state _ < {VRRP_STATE} && exec {TICKLE_CLIENTS} moved "$state"'
    return f"[ ! -x {TICKLE_CLIENTS} ] || systemd-run --quiet --collect --no-block sh -c {cmd(told)} || :"


def _keep(early: Steps, late: Steps) -> list[str]:
    """Keep all files, if any of them changes: a rollback restores them all. Some may have been kept before."""
    paths = late.paths if early.change_files else [*early.paths, *late.paths]
    return [f"keep {cmd(*paths)}"] if early.change_files or late.change_files else []


def reload_units(*found: Steps) -> list[str]:
    """Have systemd read its units again, once, if anything asks for it."""
    return list(dict.fromkeys(step for steps in found for step in steps.take(Phase.RELOAD_UNITS)))
