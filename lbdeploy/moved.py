"""What a handover did and cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lbdeploy.drill.gaps import ProbeResult
from lbdeploy.drill.prober import PERIOD, Stream
from lbdeploy.drill.result import Measured
from lbdeploy.drill.timers import TOLERANCE
from lbdeploy.offsets import Offsets
from lbdeploy.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Measured):
    """What became of a handover. `expected` is the outage (s) that the timers predict; `offsets` are what remains.

    `began` is when the VIPs began to move (s, Unix). `cut` are probes that were open connections at the very moment.
    """

    giver: str
    taker: str
    began: float
    cut: int
    expected: float
    offsets: Offsets
    verdict: Verdict

    @property
    def moved(self) -> bool:
        return self.giver != self.taker

    @property
    def holds(self) -> bool:
        """Whether something is left that keeps the VIPs from where VRRP would have them otherwise."""
        return any(self.offsets.values())

    @property
    def failures(self) -> tuple[ProbeResult, ...]:
        """The probes that failed, in order."""
        return tuple(probe for view in self.measured for probe in view.results if not probe.good)

    @property
    def in_time(self) -> bool:
        """Whether clients lost no more than the timers predict, within the tolerance: at once, or bit by bit."""
        most = (self.expected + TOLERANCE) / PERIOD
        return self.within(self.expected) and all(view.failed <= most for view in self.measured)

    @property
    def long_lived(self) -> tuple[Stream, ...]:
        """The streams that lived when it began."""
        return tuple(each for each in self.streams if each.alive_at(self.began))

    @property
    def broken(self) -> int:
        """Open connections that were cut: a move of the VIPs can't spare them."""
        return self.cut + sum(each.broken is not None for each in self.long_lived)

    def to_json(self) -> dict[str, object]:
        """The contract's keys. `outage_ms` is null where the VIPs can't be reached from here: nothing was measured."""
        return {
            "from": self.giver,
            "to": self.taker,
            "outage_ms": round(self.outage * 1000) if self.measured or not self.moved else None,
            "expected_ms": round(self.expected * 1000),
            "probes": self.probes,
            "failed": self.failed,
            "failures": [
                {"address": str(probe.vip), "at_ms": round((probe.start - self.began) * 1000), "why": probe.failure}
                for probe in self.failures
            ],
            "streams": {"opened": len(self.long_lived), "broken": self.broken},
            "held": self.holds,
            **self.verdict.to_json(),
        }
