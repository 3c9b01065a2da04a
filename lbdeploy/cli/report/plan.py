"""The report of a plan: its summary, its stages with their nodes, costs and changes; and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import count, listed

if TYPE_CHECKING:
    from lbdeploy.node.resources.base import Change
    from lbdeploy.planning.plan import Plan, Stage


KINDS = {"package": "packages", "file": "files", "sysctl": "settings", "service": "services"}
FEW = 4  # names that are listed in the summary; more of them are counted


def outline(plan: Plan) -> Iterator[Line]:
    """The summary of a plan: how much of what is changed where, and what clients notice."""
    nodes = list(dict.fromkeys(name for name, _ in plan.changes))
    where = f" on {listed(nodes)}, in {count(len(plan.stages), 'step')}"
    yield (count(len(plan.changes), "change"), "name"), where
    of_kind: dict[str, dict[str, list[str]]] = {}
    for _, change in plan.changes:
        names = of_kind.setdefault(KINDS.get(change.kind, change.kind), {}).setdefault(change.action, [])
        names += [] if change.name in names else [change.name]
    for kind, actions in of_kind.items():
        yield (f"  {kind:10}", "quiet"), "; ".join(f"{action} {_few(names)}" for action, names in actions.items())
    costs = dict.fromkeys(stage.cost.removeprefix("clients ") for stage in plan.stages)
    noticed = [cost for cost in costs if cost != "notice nothing"] or list(costs)
    yield ("  clients   ", "quiet"), "; ".join(noticed)


def _few(names: Sequence[str]) -> str:
    return ", ".join(_short(names)) if len(names) <= FEW else str(len(names))


def steps(plan: Plan, *, diffs: bool, whole: bool = False) -> Iterator[Line]:
    """The lines about every change in the order of the run, the same on several nodes once.

    `diffs`: with a diff for each file that is changed; `whole`: with the text of new files, too.
    """
    shown: dict[tuple[str, str | None], str] = {}  # the node at which a diff stands already
    for step, stage in enumerate(plan.stages, 1):
        *rest, last = stage.names
        names = f"{', '.join(rest)} and {last} together" if rest else last
        yield (f"Step {step}: ", "name"), names, (f"  ({stage.cost})", "quiet")
        for change, nodes in _together(stage).items():
            before = shown.setdefault((change.name, change.diff), nodes[0]) if change.diff else nodes[0]
            yield _change(change, nodes, "" if before == nodes[0] else f"as on {before}")
            if diffs and before == nodes[0] and (whole or not is_new(change)):
                yield from difference(change.diff or "", "      ")
    yield ()


def _together(stage: Stage) -> dict[Change, list[str]]:
    """Each change of a stage, with the nodes that all have it."""
    found: dict[Change, list[str]] = {}
    for name, plan in stage.plans.items():
        for change in plan.changes:
            found.setdefault(change, []).append(name)
    return found


def is_new(change: Change) -> bool:
    """Whether it is a file that does not exist yet: all of its text would be shown."""
    return change.action == "create" and bool(change.diff)


def _change(change: Change, nodes: Sequence[str], elsewhere: str) -> Line:
    what = f" {change.kind} {change.name}"
    size = _size(change.diff or "") if is_new(change) else ""
    why = "; ".join(filter(None, (change.reason, size, elsewhere)))
    return (f"  {', '.join(nodes)}  ", "name"), (change.action, "todo"), what, (f"  ({why})", "quiet")


def _size(diff: str) -> str:
    """How long a new file is, from its diff."""
    return count(sum(line.startswith("+") for line in diff.splitlines()[2:]), "line")


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
