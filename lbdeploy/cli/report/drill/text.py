"""The report of a drill: a timeline, what happened when, and the measurements."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from lbdeploy.cli.report.terminal import Line, Part
from lbdeploy.operations.drill.result import DrillResult
from lbdeploy.operations.drill.timeline import Row, State, Timeline, timeline
from lbdeploy.operations.outage.views import HERE, TOLERANCE
from lbdeploy.operations.outage.vrrp_events import Event
from lbdeploy.operations.outage.watch import NOTED

CELLS: dict[State, tuple[str, str]] = {
    "silent": ("x", "bad"),
    "answers": ("━", "good"),
    "off": (".", "quiet"),
    "FAULT": ("F", "warn"),
    "MASTER": ("M", "name"),
    "BACKUP": ("b", "quiet"),
}
MANY = 5  # outages that are listed; the others are counted
LEGEND = "━ answers  x silent     M master  b backup  F fault  . off"


def lines(result: DrillResult, width: int) -> Iterator[Line]:
    """The lines about one drill, of at most `width` columns."""
    yield ()
    yield (result.node, "name"), f": {result.kind.what}, for {_seconds(result.repaired - result.broken)}"
    yield ()
    yield from _picture(timeline(result), width)
    yield ()
    yield from _happened(result)
    yield ()
    yield from _numbers(result)


def headings() -> tuple[str, ...]:
    """The headings of the table of several drills."""
    return ("drill", "on", "outage", "at most", "silence", "at most", "failed", "streams", "to", "")


def row(result: DrillResult) -> tuple[str, ...]:
    """A drill's row in the table of several drills."""
    return (
        result.kind.name,
        result.node,
        _seconds(result.seen),
        _seconds(result.expected),
        _seconds(result.silence),
        "-" if result.expected_silence is None else _seconds(result.expected_silence),
        f"{result.failed}/{result.probes}",
        f"{result.streams_broken}/{len(result.long_lived)}",
        result.taker,
        "ok" if result.ok else "not healthy" if not result.healthy else "too long",
    )


def _picture(shown: Timeline, width: int) -> Iterator[Line]:
    rows = shown.rows
    margin = max(len(each.label) for each in rows) + 2
    columns = max(width - margin - 1, 20)
    step = (shown.end - shown.start) / columns
    yield " " * margin, (_axis(shown, columns, step), "quiet")
    for each in rows:
        yield (each.label.ljust(margin), "name"), *_cells(each, shown, columns, step)
    yield " " * margin, (_marks(shown, columns, step), "todo")
    yield " " * margin, (LEGEND, "quiet")


def _cells(row: Row, shown: Timeline, columns: int, step: float) -> Iterator[Part]:
    states = [row.during(shown.start + n * step, shown.start + (n + 1) * step) for n in range(columns)]
    for state, alike in groupby(states):
        mark, style = CELLS[state] if state else (" ", "")
        yield mark * len(list(alike)), style


def _axis(shown: Timeline, columns: int, step: float) -> str:
    """The axis: whole seconds since the fault, as many as fit."""
    every = next(each for each in (1, 2, 5, 10, 20, 50, 100, 200) if each / step >= 6)
    text = [" "] * columns
    for second in range(0, int(shown.end) + 1, every):
        column = int((second - shown.start) / step)
        label = f"{second} s" if second == 0 else str(second)
        if column + len(label) <= columns:  # a truncated number would be a different one
            text[column : column + len(label)] = label
    return "".join(text).rstrip()


def _marks(shown: Timeline, columns: int, step: float) -> str:
    text = [" "] * (columns + 20)
    for at, label in ((0.0, "▲ broken"), (shown.undone, "▲ undone")):
        column = min(int((at - shown.start) / step), columns - len(label))
        text[column : column + len(label)] = label
    return "".join(text).rstrip()


def _happened(result: DrillResult) -> Iterator[Line]:
    events = [(each.at, each.node, _whose(result, each)) for each in result.events]
    events += [(result.broken, result.node, result.kind.what), (result.repaired, result.node, "undone")]
    for at, node, what in sorted(events):
        yield f"{at - result.broken:8.2f} s  ", (node, "name"), f"  {what}"


def _whose(result: DrillResult, event: Event) -> str:
    """What happened; of a change of state, also to which group, where there are any."""
    group = next((each.group for each in result.groups if each.instance == event.instance), "")
    return f"{event.what}, {group}" if group else event.what


def _numbers(result: DrillResult) -> Iterator[Line]:
    if not result.measured:
        yield ("No VIP could be probed: ", "bad"), "neither this machine nor another node has a way to one"
    else:
        yield from _outage(result)
    for note in unreached(result):
        yield ("! ", "warn"), note
    if result.stalled > TOLERANCE:
        yield ("! ", "warn"), f"this machine was too busy: it did not probe for {_seconds(result.stalled)}"
    if not result.healthy:
        yield ("Not healthy afterwards", "bad"), "; next: ", ("lbdeploy verify --wait 60", "next")
    for detail in result.after:
        yield ("! ", "warn"), detail


def _outage(result: DrillResult) -> Iterator[Line]:
    style = "good" if result.answered_in_time else "bad"
    verdict = _verdict(result)
    yield (
        ("Outage ", "name"),
        (_seconds(result.outage), style),
        f"{_elsewhere(result)}, predicted: at most {_seconds(result.expected)}: ",
        (verdict, style),
    )
    for line in outages(result):
        yield (line,)
    if result.watches:
        yield ("Silence ", "name"), (silences(result), "good" if result.heard else "bad")
    if result.placed:
        yield (holders(result),)
    broken = f"{result.streams_broken} of {len(result.long_lived)} long connections broken"
    moved = "; ".join(moves(result))
    late = result.failed_after_out
    out = "" if late is None else f", {late} of them after it was called down"
    yield f"{result.failed} of {result.probes} probes failed{out}; {broken}; {moved}"


def moves(result: DrillResult) -> Iterator[str]:
    """Where the VIPs went; where there are groups, those of each, and what its clients saw."""
    for each in result.groups:
        to = result.taker_of(each)
        went = f"stayed on {each.holder}" if to == each.holder else f"went to {to}"
        yield f"{each.group} {went}, outage {_seconds(result.outage_of(each))} of at most {_seconds(each.expected)}"
    if not result.groups:
        yield "the VIPs stayed" if result.taker == result.holder else f"the VIPs went to {result.taker}"


def _verdict(result: DrillResult) -> str:
    """Of all clients: one that saw more than this machine did is a client, too."""
    if not result.answered_in_time:
        return "too long"
    return "as predicted" if result.seen <= result.expected else f"within the {TOLERANCE} s that are let pass"


def _elsewhere(result: DrillResult) -> str:
    """The longest outages that the other nodes measured, as text."""
    others = [view for view in result.reached if view.client != HERE]
    clients = dict.fromkeys(view.client for view in others)
    seen = {name: max(view.outage for view in others if view.client == name) for name in clients}
    return f" ({', '.join(f'{name} saw {_seconds(outage)}' for name, outage in seen.items())})" if seen else ""


def outages(result: DrillResult) -> Iterator[str]:
    """Every outage of a VIP that had more than one, as it was measured: the repair may bring one, too."""
    for view in result.measured:
        each = [
            f"{_seconds(gap.seconds)} from {_seconds(gap.start - result.broken)} on"
            for gap in view.gaps
            if gap.seconds > result.least
        ]
        if len(each) > 1:
            more = f", and {len(each) - MANY} more" if len(each) > MANY else ""
            yield f"{view.vip} had {len(each)} outages: {', '.join(each[:MANY])}{more}"


def silences(result: DrillResult) -> str:
    """The longest silence of a watch that only reads, beside what was predicted."""
    ended = f"{result.ended_watches} of {result.watches} watches that only read ended"
    if result.expected_silence is None:
        limit = "nothing would end them: see lbdeploy check"
    else:
        limit = f"predicted: at most {_seconds(result.expected_silence)}" + ("" if result.heard else ": too long")
    silence = _seconds(result.silence) if result.silence else f"less than {NOTED:g} s"
    return f"{silence}, {limit}; {ended}"


def unreached(result: DrillResult) -> Iterator[str]:
    """The clients that have no way to a VIP: what they saw is left out."""
    known = {view.vip for view in result.measured}
    for view in result.unreached:
        where = "from here" if view.client == HERE else f"from {view.client}"
        counts = "what the other nodes saw counts" if view.client == HERE else "left out"
        yield f"{view.vip} can't be reached {where}: {counts if view.vip in known else 'it was not measured'}"


def holders(result: DrillResult) -> str:
    """When each VIP was on one node again after the fault, and for how long two nodes had one."""
    both = f"two had them for {_seconds(result.two_holders)}"
    if result.one_holder is None:
        return f"Not every VIP was on one node when it was undone; {both}"
    return f"Each VIP was on one node after {_seconds(result.one_holder)}; {both}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"
