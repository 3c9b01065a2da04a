"""The words for an event, and its row in a table."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from lbdeploy.cli.report.words import count, listed
from lbdeploy.operations.history.event import PastEvent

HEADINGS = ("when", "what", "who", "changed", "ended, cost")


def row(event: PastEvent) -> tuple[str, str, str, str, str]:
    """A row; times are this machine's."""
    who = event.who or ("" if event.kind == "move" else "unknown")
    return when(event.at), what(event), who, changed(event), "; ".join(costs(event))


def when(at: float) -> str:
    """A time, as this machine's clock shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else "unknown"


def what(event: PastEvent) -> str:
    """What was typed, or where the VIPs went."""
    if event.kind != "move":
        return event.typed or f"{event.kind}, not from this machine"
    return f"VIPs move from {event.former} to {event.to}" if event.former else f"VIPs are on {event.to}"


def changed(event: PastEvent) -> str:
    """How much on which nodes; of a move, in the course of what it came."""
    if event.kind == "move":
        return f"during {event.during}" if event.during else "by no command that is known"
    by_node = Counter(node for node, _ in event.changed)
    alike: dict[int, list[str]] = defaultdict(list)
    for node, number in by_node.items():
        alike[number].append(node)
    return "; ".join(f"{listed(nodes)}: {count(number, 'change')}" for number, nodes in alike.items()) or "nothing"


def costs(event: PastEvent) -> Iterator[str]:
    """How it ended, and what clients lost."""
    code = event.ended.get("exit_code")
    if code is not None:
        yield "done" if code == 0 else f"exit code {code}: {event.ended.get('error', 'see its log')}"
    for each in event.ended.get("drills") or (event.ended,):
        if isinstance(each, dict) and isinstance(each.get("outage_ms"), int):
            yield f"{each['kind']}: {_outage(each)}" if each.get("kind") else _outage(each)
    if event.moves:
        yield f"VIPs moved {count(event.moves, 'time')}"


def _outage(of: Mapping[str, Any]) -> str:
    if not of["outage_ms"]:
        return "no outage"
    expected = of.get("expected_ms")
    return f"outage {of['outage_ms'] / 1000:g} s" + (f" (predicted: {expected / 1000:g} s)" if expected else "")
