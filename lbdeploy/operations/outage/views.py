"""What clients saw of the VIPs: the outage as each client measured it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbdeploy.config.model import Address
from lbdeploy.operations.outage.client import Stream
from lbdeploy.operations.outage.gaps import Gap, ProbeResult, by_vip, gaps, longest, stall
from lbdeploy.operations.outage.watch import Silence

TOLERANCE = 0.3  # seconds for what no timer covers: the check's own run, address placement, gratuitous ARP, scheduling

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
    def gaps(self) -> list[Gap]:
        """Every outage that it saw, in order; none where no probe was answered, which says nothing about the VIP."""
        return gaps(self.results) if self.reached else []

    @property
    def gap(self) -> Gap | None:
        return longest(self.results)

    @property
    def outage(self) -> float:
        """The outage in seconds: the longest gap between two good probes."""
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
    """What clients saw: `views` of short connections, `streams` that were held open from here, and talked.

    `watches` only read: how many there were, how many of them `ended`, and when they heard nothing.
    """

    views: tuple[View, ...]
    streams: tuple[Stream, ...] = ()
    watches: int = 0
    ended_watches: int = 0
    silences: tuple[Silence, ...] = ()

    @property
    def measured(self) -> tuple[View, ...]:
        """What counts: each VIP as seen from here, and, where it can't be reached from here, from the other nodes."""
        here = [view for view in self.views if view.client == HERE and view.reached]
        seen = {view.vip for view in here}
        return (*here, *(view for view in self.views if view.client != HERE and view.reached and view.vip not in seen))

    @property
    def reached(self) -> tuple[View, ...]:
        """Every view with any answer. The others say nothing about the cluster: the client has no way to the VIP."""
        return tuple(view for view in self.views if view.reached)

    @property
    def unreached(self) -> tuple[View, ...]:
        return tuple(view for view in self.views if not view.reached)

    @property
    def worst(self) -> View | None:
        """The view with the longest outage."""
        return max(self.measured, key=lambda view: view.outage, default=None)

    @property
    def outage(self) -> float:
        """The outage in seconds: the longest gap that a client saw."""
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


def views(client: str, results: Sequence[ProbeResult], vips: Sequence[Address]) -> tuple[View, ...]:
    """What one client saw of each VIP."""
    seen = by_vip(results)
    return tuple(View(client, vip, tuple(seen.get(vip, ()))) for vip in vips)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
