"""The applying script of a node: one round trip, all or nothing where that can be, and it outlives the connection.

On the node it runs as the transient unit `lbdeploy.service`, so that a laptop that dies leaves no half-done change, and
so that a second run finds the first one: a unit's name is its lock. It stages every file beside its place, validates
it with the node's own binaries, keeps the old content, and swaps by rename. When a step fails, it puts the files back
and has the services read them again. See docs/decisions/003-node-side-transaction.md.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from lbdeploy.errors import LbdeployError, LockedError, LostError, RemoteError, RolledBackError
from lbdeploy.plan import NodePlan, Part
from lbdeploy.probe import PRELUDE
from lbdeploy.resource import Resource
from lbdeploy.resources import File, Packages, Service, Sysctl
from lbdeploy.shell import cmd, here

UNIT = "lbdeploy"
KEPT = "/var/lib/lbdeploy/previous"  # what was there before, by path
MARK = "@@lbdeploy"
LOCK_SECONDS = 120  # how long to wait for another apt or dpkg, such as unattended-upgrades
R = TypeVar("R", bound=Resource[Any])


def script(plan: NodePlan, services: Iterable[str], who: str, *, rehearsal: bool = False) -> str:
    """POSIX sh for root that brings a plan's changes about, and starts or reloads only the named `services`.

    A `rehearsal` writes the files beside their places, has them validated, and removes them again.

    Prints lines that begin with MARK (see Progress) among whatever else is said. `who` is shown to a second run.
    """
    nonce = secrets.token_hex(8)
    run = f"/run/lbdeploy/{nonce}"
    return "\n".join(
        (
            PRELUDE,
            "umask 077\nmkdir -p /run/lbdeploy\nchmod 700 /run/lbdeploy",
            # Through a file of root's, not through its arguments, which everybody can see.
            f"cat > {run}.sh <<'{nonce}'\n{_rehearsal(plan) if rehearsal else _body(plan, set(services))}\n{nonce}",
            _given(unit=UNIT, who=f"lbdeploy: {who}", mark=MARK, run=run),
            _text("launch.sh"),
        )
    )


def _given(**variables: object) -> str:
    return "\n".join(f"{name}={cmd(value)}" for name, value in variables.items())


@cache
def _text(name: str) -> str:
    return (Path(__file__).parent / "remote" / name).read_text(encoding="utf-8")


def _body(plan: NodePlan, services: set[str]) -> str:
    files = list(_needing(plan, File))
    units = [(unit, part) for unit, part in _needing(plan, Service) if unit.unit in services]
    lines = _begin(plan)
    lines += [_fix(part) for _, part in _needing(plan, Packages)]
    lines += _stage(files)
    lines += [line for file, _ in files for line in (*_validate(file), f"swap {cmd(file.path)}")]
    lines += [line for sysctl, part in _needing(plan, Sysctl) for line in _set(sysctl, part)]
    lines += ["run systemctl daemon-reload"] if _reloads_units(plan) else []
    lines += [line for unit, part in units for line in _bring_up(unit, part)]
    lines += [unit.enable(part.changes) for unit, part in units]
    return "\n".join(lines)


def _rehearsal(plan: NodePlan) -> str:
    files = list(_needing(plan, File))
    return "\n".join([*_begin(plan), *_stage(files), *(line for file, _ in files for line in _validate(file))])


def _begin(plan: NodePlan) -> list[str]:
    staged = " ".join(file.staged for file, _ in _needing(plan, File))
    return [PRELUDE, _given(mark=MARK, kept=KEPT, patience=LOCK_SECONDS, staged=staged), _text("tools.sh")]


def _stage(files: Sequence[tuple[File, Part]]) -> list[str]:
    return ["step write the files", *(_fix(part) for _, part in files)] if files else []


def _needing(plan: NodePlan, kind: type[R]) -> Iterator[tuple[R, Part]]:
    """The resources of a kind that have something to change."""
    return ((part.resource, part) for part in plan.parts if part.changes and isinstance(part.resource, kind))


def _reloads_units(plan: NodePlan) -> bool:
    changed = any(file.path.startswith("/etc/systemd/") for file, _ in _needing(plan, File))
    return changed or any(change.action == "daemon-reload" for change in plan.changes)


def _fix(part: Part) -> str:
    return part.resource.fix(part.state, list(part.changes))


def _validate(file: File) -> list[str]:
    """A validator that says anything has found something."""
    return [f"validate {cmd(file.path)} {cmd(file.staged)} {here(file.validate)}"] if file.validate else []


def _set(sysctl: Sysctl, part: Part) -> list[str]:
    undo = [f"undo {here(cmd('sysctl', '-q', '-w', f'{sysctl.name}={part.state}'))}"] if part.state is not None else []
    return [f"step set {cmd(sysctl.name)}", *undo, f"run {_fix(part)}"]


def _bring_up(service: Service, part: Part) -> list[str]:
    """Start or reload, and see that it runs. What is undone last is the reload: by then the old files are back."""
    unit = cmd(service.unit)
    undo = f"systemctl reload {unit}" if part.state.running else f"systemctl stop {unit}"
    healthy = [f"healthy {unit}"] if service.unit == "haproxy" else []
    return [f"undo_last {here(undo)}", _fix(part), f"run systemctl is-active --quiet {unit}", *healthy]


@dataclass(slots=True)
class Progress:
    """Reads what an applying script prints, line by line; `on_step` is told of each step as it begins.

    Marked lines: `step TEXT`, `failed COMMAND`, `restored` or `unrestored`, `locked WHO`, and at last `exit STATUS`.
    """

    node: str
    on_step: Callable[[str], None]
    step: str = "start"
    failed: str | None = None
    restored: bool | None = None
    locked: str | None = None
    exit: int | None = None
    said: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Take one line of output."""
        if not text.startswith(MARK + " "):
            self.said.append(text)
            return
        word, _, rest = text.removeprefix(MARK + " ").partition(" ")
        match word:
            case "step":
                self.step = rest
                self.on_step(rest)
            case "failed":
                self.failed = rest
            case "restored" | "unrestored":
                self.restored = word == "restored"
            case "locked":
                self.locked = rest
            case "exit":
                self.exit = int(rest)

    def error(self, plan: NodePlan) -> LbdeployError | None:
        """What went wrong, if anything did: LockedError, LostError, RolledBackError or RemoteError."""
        if self.locked is not None:
            return LockedError(
                f"another run is at work: {self.locked}",
                node=self.node,
                state="nothing was changed on it",
                fix="wait for it to end, then run this again",
            )
        if self.exit is None:
            return LostError(
                "the run on the node ended without a word",
                node=self.node,
                state="unknown",
                fix="lbdeploy plan shows what is left to do",
                detail="\n".join(self.said),
            )
        return self._failure(plan) if self.exit else None

    def _failure(self, plan: NodePlan) -> RemoteError:
        detail = "\n".join(self.said)
        what = f"{self.step}: {_reason(self.said) or f'{self.failed} failed'}"
        installs = any(change.kind == "package" for change in plan.changes)
        if self.restored and not installs:
            return RolledBackError(
                what,
                node=self.node,
                state="its files and services are as before",
                detail=detail,
                fix="mend the cause, then: lbdeploy plan",
            )
        state = {
            True: "its files and services are as before; packages that were installed stay",
            False: "not everything could be put back: see lbdeploy plan",
            None: "its files and services were not touched",
        }[self.restored]
        return RemoteError(what, node=self.node, state=state, detail=detail, fix="mend the cause, then: lbdeploy up")


_NOISE = re.compile(r"^(WARNING: apt does not|Reading |Building |\s*$)")


def _reason(said: list[str]) -> str:
    """The lines that matter of what a failed command said: apt marks its own, of others the last are shown."""
    lines = [line for line in said if not _NOISE.match(line)]
    marked = [line for line in lines if re.match(r"^(E|W|dpkg): |.*\[ALERT\]", line)]
    return "; ".join((marked or lines)[-3:])
