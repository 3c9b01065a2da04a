"""The report of a plan: its stages with their nodes, costs and changes; and a summary of what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lbdeploy.cli.report.terminal import Line

if TYPE_CHECKING:
    from lbdeploy.node.resources.base import Change
    from lbdeploy.planning.plan import Plan


def steps(plan: Plan, *, diffs: bool) -> Iterator[Line]:
    """The lines about every change, node by node in the order of the run; `diffs`: with a diff for each file."""
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
    "remove": "removed",
    "chmod": "set owner and mode of",
    "unmask": "unmasked",
    "restart": "restarted",
    "upgrade": "upgraded",
    "reinstall": "reinstalled",
    "unhold": "released for updates:",
    "record": "took note of the version of",
}


def in_short(changes: Sequence[Change]) -> str:
    """A summary of what was done on a node, a line for each kind of change."""
    done: dict[str, list[str]] = {}
    names = _short([change.name for change in changes])
    for change, name in zip(changes, names, strict=True):
        done.setdefault(_past(change), []).append(name)
    return "\n".join(f"{verb} {', '.join(names)}" for verb, names in done.items())


def _past(change: Change) -> str:
    return _PAST.get(change.action, "wrote" if change.kind == "file" else change.action)


def _short(paths: Sequence[str]) -> list[str]:
    """The files' names without their folders; with the last folder where two names are the same."""
    bare = Counter(path.rpartition("/")[2] for path in paths)
    parts = [path.split("/") for path in paths]
    return ["/".join(each[-2:] if bare[each[-1]] > 1 else each[-1:]) for each in parts]
