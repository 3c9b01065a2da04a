"""How a cluster is, in the one line with which a command ends; and what is wrong, cause by cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import MARKS, count, listed

if TYPE_CHECKING:
    from lbdeploy.health.digest.causes import Cause
    from lbdeploy.health.digest.overview import Overview, State
    from lbdeploy.health.finding import Finding

STYLES: dict[State, str] = {
    "healthy": "good",
    "drifted": "warn",
    "degraded": "warn",
    "down": "bad",
    "not deployed": "todo",
    "unknown": "warn",
}
EFFECTS = 3  # consequences of a cause that are shown without -v


def summary_line(
    seen: Overview, state: State, found: Sequence[Cause] = (), more: str = "", then: str = "lbdeploy plan"
) -> Line:
    """The one line. `found`: what is wrong; `more`: what else there is to say, such as pending changes.

    `then`: what comes next where nothing is deployed yet.
    """
    head = ((seen.cluster, "name"), "  ", (state.upper(), STYLES[state]))
    if state == "not deployed":
        return (*head, f" on {listed(seen.bare)}. Next: ", (then, "next"))
    problems = sum(each.is_error for each in found)
    counted = [count(problems, "problem")] if problems else []
    counted += [count(len(found) - problems, "warning")] if len(found) > problems else []
    parts = [_of(*seen.nodes, "node"), _of(*seen.servers, "server"), _vips(seen), ", ".join(counted), more]
    return (*head, *(f"  {each}" for each in parts if each))


def _of(good: int, whole: int, noun: str) -> str:
    return f"{good}/{count(whole, noun)}"


def _vips(seen: Overview) -> str:
    since = "" if seen.since_s is None or len(seen.holders) != 1 else f" for {lasting(seen.since_s)}"
    return f"VIPs on {listed(seen.holders) or 'no node'}{since}" if seen.nodes[1] else ""


def lasting(seconds: int) -> str:
    """A time in its largest unit: "4 d"."""
    unit, factor = next((u, f) for u, f in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)) if seconds >= f or f == 1)
    return f"{seconds // factor} {unit}"


def causes_lines(found: Sequence[Cause], *, verbose: bool) -> Iterator[Line]:
    """The lines about what is wrong: each cause, what follows from it, and what to do about it."""
    for cause, following in zip(found, [*found[1:], None], strict=False):
        finding = cause.finding
        mark, style = MARKS[finding.severity]
        yield (f"{mark} ", style), *_told(finding, cause.nodes)
        effects = list(_alike(cause.effects))
        shown = effects if verbose else effects[:EFFECTS]
        for each, nodes in shown:
            yield ("    so: ", "quiet"), *_told(each, nodes)
        if len(effects) > len(shown):
            yield ("    so: ", "quiet"), f"{len(effects) - len(shown)} more, shown with -v"
        if finding.fix and (following is None or effects or following.finding.fix != finding.fix):
            yield ("    next: ", "next"), finding.fix


def passed(finding: Finding) -> Line:
    """The line about a check that passed."""
    mark, style = MARKS[finding.severity]
    return (f"{mark} ", style), *_told(finding, (finding.node,) if finding.node else ())


def _told(finding: Finding, nodes: Sequence[str]) -> Line:
    return (f"{', '.join(nodes)}: " if nodes else "", "name"), finding.detail


def _alike(effects: Sequence[Finding]) -> Iterator[tuple[Finding, list[str]]]:
    """The same of several nodes, once."""
    in_order = {each.detail: at for at, each in reversed(list(enumerate(effects)))}
    together = sorted(effects, key=lambda each: in_order[each.detail])
    for _, group in groupby(together, key=lambda each: each.detail):
        alike = list(group)
        yield alike[0], [each.node for each in alike if each.node]
