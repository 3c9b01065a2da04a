"""What a drill has measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.drill import holding
from lbdeploy.drill.gaps import Gap, ProbeResult, by_vip, longest, stall
from lbdeploy.drill.holding import Placed
from lbdeploy.drill.journal import Event
from lbdeploy.drill.kinds import Kind
from lbdeploy.drill.prober import Stream
from lbdeploy.drill.timers import TOLERANCE
from lbdeploy.errors import DrillError
from lbdeploy.model import Address

LOOK = "lbdeploy verify --wait 60"
HERE = "here"  # the client's name where that is the operator's machine


@dataclass(frozen=True, slots=True)
class View:
    """One VIP as one client saw it. `client` is a node's name, or HERE."""

    client: str
    vip: Address
    results: tuple[ProbeResult, ...]

    @property
    def reached(self) -> bool:
        """Whether any probe was answered: a client may have no route to the VIP's network."""
        return any(probe.good for probe in self.results)

    @property
    def failed(self) -> int:
        return sum(not probe.good for probe in self.results)

    @property
    def gap(self) -> Gap | None:
        return longest(self.results)

    @property
    def outage(self) -> float:
        """Seconds."""
        return self.gap.seconds if self.gap else 0.0

    def to_json(self) -> dict[str, object]:
        return {
            "client": self.client,
            "address": str(self.vip),
            "reached": self.reached,
            "probes": len(self.results),
            "failed": self.failed,
            "outage_ms": _ms(self.outage),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What clients saw: `views` of short connections, `streams` that were held open from here."""

    views: tuple[View, ...]
    streams: tuple[Stream, ...] = ()

    @property
    def measured(self) -> tuple[View, ...]:
        """What counts: each VIP as seen from here, and, where it can't be reached from here, from the other nodes."""
        here = [view for view in self.views if view.client == HERE and view.reached]
        seen = {view.vip for view in here}
        return (*here, *(view for view in self.views if view.client != HERE and view.reached and view.vip not in seen))

    @property
    def worst(self) -> View | None:
        """The view with the longest outage."""
        return max(self.measured, key=lambda view: view.outage, default=None)

    @property
    def outage(self) -> float:
        """Seconds: the longest gap that a client saw."""
        return self.worst.outage if self.worst else 0.0

    def within(self, expected: float) -> bool:
        """Whether the outage is over, and was no longer than `expected` (s) plus the tolerance."""
        closed = all(view.gap is None or view.gap.closed for view in self.measured)
        return closed and self.outage <= expected + TOLERANCE

    @property
    def probes(self) -> int:
        return sum(len(view.results) for view in self.measured)

    @property
    def failed(self) -> int:
        return sum(view.failed for view in self.measured)

    @property
    def stalled(self) -> float:
        """The longest time (s) in which the prober itself started no probe."""
        return max((stall(view.results) for view in self.measured), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Measured):
    """One drill. Times are by the operator's clock (s, Unix); `expected` is in seconds.

    `broken` and `repaired` are when the break began and when it was undone, `ended` when the probing stopped. `after`
    says what is not as it should be at the end: also when the VIPs will return, if they have not yet.
    """

    kind: Kind
    node: str
    holder: str
    expected: float
    broken: float
    repaired: float
    ended: float
    events: tuple[Event, ...] = ()
    placed: tuple[Placed, ...] = ()
    healthy: bool = True
    after: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def taker(self) -> str:
        """Who served the VIPs next: the first node to become MASTER after the break; the holder, if none did."""
        return next((each.node for each in self.events if each.state == "MASTER"), self.holder)

    @property
    def one_holder(self) -> float | None:
        """Seconds from the break until each VIP was on one node again; None: not before it was undone."""
        return holding.one_holder(self.placed, self.broken, self.repaired)

    @property
    def two_holders(self) -> float:
        """Seconds for which a VIP was on two nodes at once while it was broken."""
        return holding.two_holders(self.placed, self.broken, self.repaired)

    @property
    def long_lived(self) -> tuple[Stream, ...]:
        """The streams that were open at the break."""
        return tuple(each for each in self.streams if each.alive_at(self.broken))

    @property
    def streams_broken(self) -> int:
        return sum(each.broken is not None for each in self.long_lived)

    @property
    def in_time(self) -> bool:
        """Whether the outage was no longer than predicted, within the tolerance; and was over before the end."""
        return bool(self.measured) and self.within(self.expected)

    @property
    def ok(self) -> bool:
        return self.in_time and self.healthy

    def to_json(self) -> dict[str, object]:
        """The contract's keys, and what else was seen. `at_ms` counts from the break."""
        return {
            "kind": self.kind.name,
            "node": self.node,
            "outage_ms": _ms(self.outage),
            "outage_at_ms": _ms(self.worst.gap.start - self.broken) if self.worst and self.worst.gap else None,
            "expected_ms": _ms(self.expected),
            "tolerance_ms": _ms(TOLERANCE),
            "in_time": self.in_time,
            "probes": self.probes,
            "failed": self.failed,
            "from": self.holder,
            "to": self.taker,
            "streams": {"opened": len(self.long_lived), "broken": self.streams_broken},
            "one_holder_ms": None if self.one_holder is None else _ms(self.one_holder),
            "two_holders_ms": _ms(self.two_holders),
            "broken_for_ms": _ms(self.repaired - self.broken),
            "views": [view.to_json() for view in self.views],
            "events": [
                {"at_ms": _ms(each.at - self.broken), "node": each.node, "what": each.what} for each in self.events
            ],
            "healthy": self.healthy,
            "after": list(self.after),
        }


def views(client: str, results: Sequence[ProbeResult], vips: Sequence[Address]) -> tuple[View, ...]:
    """What one client saw of each VIP."""
    seen = by_vip(results)
    return tuple(View(client, vip, tuple(seen.get(vip, ()))) for vip in vips)


def failure(results: Sequence[Result]) -> DrillError | None:
    """What went wrong in the first drill that did not end well."""
    for each in results:
        where = f"{each.node}: {each.kind.what}"
        if not each.healthy:
            what = "; ".join(["the cluster is not healthy afterwards", *each.after])
            return DrillError(what, node=each.node, state=f"what was broken is undone ({where})", fix=LOOK)
        if not each.in_time:
            what = f"the outage was {each.outage:.2f} s, longer than predicted: at most {each.expected:.2f} s"
            what = what if each.measured else "no VIP could be probed"
            return DrillError(what, node=each.node, state=f"all is well again ({where})", fix=LOOK)
    return None


def together(results: Sequence[Result]) -> Mapping[str, object]:
    """Several drills in one document: the longest outage, the sums of probes, and every drill by itself."""
    first, *_ = results
    return {
        "outage_ms": max(_ms(each.outage) for each in results),
        "expected_ms": max(_ms(each.expected) for each in results),
        "probes": sum(each.probes for each in results),
        "failed": sum(each.failed for each in results),
        "from": first.holder,
        "to": first.taker,
        "drills": [each.to_json() for each in results],
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
