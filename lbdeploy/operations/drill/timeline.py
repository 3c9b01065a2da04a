"""A drill as rows of spans: when each VIP was answered, watches heard something, and which VRRP state nodes were in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from lbdeploy.config.model import Address
from lbdeploy.operations.drill.result import DrilledGroup, DrillResult
from lbdeploy.operations.outage.gaps import gaps
from lbdeploy.operations.outage.views import HERE, View
from lbdeploy.operations.outage.vrrp_events import Event

State = Literal["answers", "silent", "MASTER", "BACKUP", "FAULT", "off"]
LEAD = 1.0  # seconds that are shown before the break, and after the last thing that happened


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the break; `state` holds from `start` to `end`."""

    start: float
    end: float
    state: State


@dataclass(frozen=True, slots=True)
class Row:
    """The states of one VIP, or of one node: spans in order of time."""

    label: str
    spans: tuple[Span, ...]

    def during(self, start: float, end: float) -> State | None:
        """The last state within that time; but silence, however short, takes precedence."""
        states = [span.state for span in self.spans if span.start < end and start < span.end]
        return "silent" if "silent" in states else states[-1] if states else None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything from `start` to `end` (s from the break); `undone` is when the break was undone."""

    start: float
    end: float
    undone: float
    vips: tuple[Row, ...]
    watches: tuple[Row, ...]
    nodes: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.vips, *self.watches, *self.nodes)


def timeline(result: DrillResult, *, everyone: bool = False) -> Timeline:
    """The rows of a drill; with `everyone`, also each VIP as the other nodes saw it."""
    shown = result.views if everyone else result.measured
    heard = [each.end for each in result.silences]
    last = max([result.repaired, *(e.at for e in result.events), *(_over(view) for view in shown), *heard])
    start, end = -LEAD, min(last + LEAD, max(result.ended, result.repaired)) - result.broken
    vips = tuple(Row(_label(view), tuple(_answers(view, result.broken, start, end))) for view in shown if view.reached)
    nodes = tuple(_node_rows(result, start, end))
    watched = sorted({view.vip for view in result.measured}) if result.watches else ()
    watches = tuple(Row(f"{vip} watch", tuple(_hears(result, vip, start, end))) for vip in watched)
    return Timeline(start, end, result.repaired - result.broken, vips, watches, nodes)


def _label(view: View) -> str:
    return str(view.vip) if view.client == HERE else f"{view.vip} from {view.client}"


def _over(view: View) -> float:
    return max((gap.end for gap in gaps(view.results)), default=0.0)


def _answers(view: View, zero: float, start: float, end: float) -> Iterator[Span]:
    at, end = start, min(end, max(probe.start for probe in view.results) - zero)  # a client may stop before the end
    for gap in gaps(view.results):
        yield from _span(at, gap.start - zero, "answers", start, end)
        yield from _span(gap.start - zero, gap.end - zero, "silent", start, end)
        at = gap.end - zero
    yield from _span(at, end, "answers", start, end)


def _hears(result: DrillResult, vip: Address, start: float, end: float) -> Iterator[Span]:
    """Silent while any watch of the VIP is."""
    at = start
    for silence in sorted((each for each in result.silences if each.vip == vip), key=attrgetter("end")):
        over, silent = silence.end - result.broken, silence.since(result.disturbances)
        yield from _span(at, over - silent, "answers", start, end)
        yield from _span(max(at, over - silent), over, "silent", start, end)
        at = max(at, over)
    yield from _span(at, end, "answers", start, end)


def _node_rows(result: DrillResult, start: float, end: float) -> Iterator[Row]:
    """A row for each node; where there are groups, for each of them on each node."""
    for name in result.nodes:
        for group in result.groups:
            yield Row(f"{name} {group.group}", tuple(_states(result, name, start, end, group)))
        if not result.groups:
            yield Row(name, tuple(_states(result, name, start, end)))


def _states(
    result: DrillResult, name: str, start: float, end: float, group: DrilledGroup | None = None
) -> Iterator[Span]:
    """Spans from one change to the next. A node without power, or keepalived, is off until it reports a state."""
    state: State = "MASTER" if name == (group or result).holder else "BACKUP"
    events = tuple(each for each in result.events if group is None or each.instance == group.instance)
    at = start
    for change, becomes in (*_ended(result, name), *_changes(events, name)):
        yield from _span(at, change - result.broken, state, start, end)
        state, at = becomes, change - result.broken
    yield from _span(at, end, state, start, end)


def _ended(result: DrillResult, name: str) -> Iterator[tuple[float, State]]:
    if name == result.node and result.kind.name in ("keepalived", "power"):
        yield result.broken, "off"


def _changes(events: tuple[Event, ...], name: str) -> Iterator[tuple[float, State]]:
    for event in events:
        if event.node == name and event.state in ("MASTER", "BACKUP", "FAULT"):
            yield event.at, event.state  # type: ignore[misc]  # one of State's, as was just checked


def _span(since: float, until: float, state: State, start: float, end: float) -> Iterator[Span]:
    if max(since, start) < min(until, end):
        yield Span(max(since, start), min(until, end), state)
