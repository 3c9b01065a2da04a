"""Which node had each VIP when: from the nodes' kernels, to the microsecond, whatever keepalived believes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from operator import attrgetter

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Address
from lbdeploy.operations.outage.clocks import Clock

_LINE = re.compile(r"^(?:\[(?P<at>[0-9T:.-]+)\] )?(?P<gone>Deleted )?\d+: \S+ +inet6? (?P<address>[^/ ]+)/")

MOVE = 0.1  # seconds within which a VIP that is moved may be on both nodes, or on none


@dataclass(frozen=True, slots=True)
class Placed:
    """A node got a VIP, or lost it, at a moment (s, Unix, the operator's clock); 0: it had the VIP at the start."""

    at: float
    node: str
    vip: Address
    has: bool


def script(seconds: float) -> Raw:
    """Prints the node's addresses, then each that is added or deleted within `seconds`."""
    return Raw(f"TZ=UTC timeout -k 1 {ceil(seconds)} ip -ts -o monitor address 2>/dev/null &\nip -o address")


def read(lines: Sequence[str], node: str, vips: Sequence[Address], clock: Clock) -> Iterator[Placed]:
    """What `script` printed of the VIPs. A line of something else, or only half of one, is passed over."""
    known = {str(vip): vip for vip in vips}
    for line in lines:
        if (found := _LINE.match(line)) and (vip := known.get(found["address"])):
            yield Placed(clock.here(_time(found["at"])) if found["at"] else 0.0, node, vip, not found["gone"])


def one_holder(placed: Sequence[Placed], since: float, until: float) -> float | None:
    """How long (s) it took from `since` until every VIP was on exactly one node, and stayed so.

    None if that was not the case before `until`, or if no node has reported anything.
    """
    shaky = [end for _, end, count in _spans(placed, since, until) if count != 1]
    last = max(shaky, default=since)
    return last - since if placed and last < until else None


def two_holders(placed: Sequence[Placed], since: float, until: float) -> float:
    """The longest time (s) for which a VIP was on more than one node at once."""
    return max((end - at for at, end, count in _spans(placed, since, until) if count > 1), default=0.0)


def _spans(placed: Sequence[Placed], since: float, until: float) -> Iterator[tuple[float, float, int]]:
    """(start, end, number of nodes that have the VIP), for every VIP; spans no longer than MOVE are left out."""
    for vip in {each.vip for each in placed}:
        counts = list(_counts(placed, vip))
        ends = [at for at, _ in counts[1:]] + [until]
        for (begins, count), ends_at in zip(counts, ends, strict=True):
            at, end = max(begins, since), min(ends_at, until)
            if end - at > MOVE:
                yield at, end, count


def _counts(placed: Sequence[Placed], vip: Address) -> Iterator[tuple[float, int]]:
    """(time, number of nodes that have the VIP from then on), in order of time."""
    having: set[str] = set()
    for each in sorted((each for each in placed if each.vip == vip), key=attrgetter("at")):
        having = having | {each.node} if each.has else having - {each.node}
        yield each.at, len(having)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
