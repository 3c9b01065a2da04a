"""A plan, step by step: which nodes, at what cost, and what is changed there; and in short, once it was done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lbdeploy.report.terminal import Part

if TYPE_CHECKING:
    from lbdeploy.plan import Plan
    from lbdeploy.resource import Change

Line = Sequence[Part]


def steps(plan: Plan, *, diffs: bool) -> Iterator[Line]:
    """Every change, node by node in the order of the run, with a diff for each file where that is wanted."""
    for step, stage in enumerate(plan.stages, 1):
        *rest, last = stage.names
        names = f"{', '.join(rest)} and {last} together" if rest else last
        yield (f"Step {step}: ", "name"), names, (f"  ({stage.cost})", "quiet")
        for name, node_plan in stage.plans.items():
            for change in node_plan.changes:
                yield from _change(name, change, diffs=diffs)
    yield ()


def _change(node: str, change: Change, *, diffs: bool) -> Iterator[Line]:
    what = f" {change.kind} {change.name}"
    yield (f"  {node}  ", "name"), (change.action, "todo"), what, (f"  ({change.reason})", "quiet")
    yield from difference(change.diff or "", "      ") if diffs else ()


def difference(diff: str, margin: str = "") -> Iterator[Line]:
    """A unified diff, coloured."""
    for line in diff.splitlines():
        yield ((f"{margin}{line}", {"+": "good", "-": "bad", "@": "todo"}.get(line[:1], "quiet")),)


_PAST = {
    "install": "installed",
    "start": "started",
    "reload": "reloaded",
    "repair": "repaired",
    "enable": "enabled",
    "unmask": "unmasked",
    "restart": "restarted",
    "upgrade": "upgraded",
    "reinstall": "reinstalled",
    "unhold": "released for updates:",
    "record": "took note of the version of",
}


def in_short(changes: Iterable[Change]) -> str:
    """What was done on a node, a line for each kind of thing that was done."""
    done: dict[str, list[str]] = {}
    for change in changes:
        verb = "wrote" if change.kind == "file" else _PAST.get(change.action, change.action)
        done.setdefault(verb, []).append(change.name.rpartition("/")[2])
    return "\n".join(f"{verb} {', '.join(names)}" for verb, names in done.items())
