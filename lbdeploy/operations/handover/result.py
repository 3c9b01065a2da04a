"""The result of a handover, and what it cost clients. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbdeploy.health.verdict import Verdict
from lbdeploy.operations.handover.priority_offsets import Offsets
from lbdeploy.operations.outage.client import PERIOD, Stream
from lbdeploy.operations.outage.gaps import ProbeResult
from lbdeploy.operations.outage.views import TOLERANCE, Measured

HEALTH = ("findings", "vips", "servers", "packages", "summary")  # what the whole document has once


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverResult(Measured):
    """The result of a handover. `expected` is the outage (s) that the timers predict; `offsets` are those that remain.

    `began` is when the handover began, `moved_at` when the VIPs moved, at the earliest (s, Unix). `cut`: the probes
    whose connections were open at that moment. `late`: those whose SYN was on its way then, so that
    TCP asked again.
    `group`: whose VIPs moved, where there are groups; those of others were probed, too.
    """

    giver: str
    taker: str
    began: float
    cut: int
    late: int
    moved_at: float
    expected: float
    offsets: Offsets
    verdict: Verdict
    group: str = ""

    @property
    def moved(self) -> bool:
        return self.giver != self.taker

    @property
    def holds(self) -> bool:
        """Whether offsets remain that keep the VIPs away from where VRRP would put them otherwise."""
        return any(self.offsets.values())

    @property
    def failures(self) -> tuple[ProbeResult, ...]:
        """The probes that failed, in order."""
        return tuple(probe for view in self.measured for probe in view.results if not probe.good)

    @property
    def in_time(self) -> bool:
        """Whether clients lost no more than the timers predict, plus the tolerance: in one outage, and in total."""
        most = (self.expected + TOLERANCE) / PERIOD
        return self.within(self.expected) and all(view.failed <= most for view in self.measured)

    @property
    def long_lived(self) -> tuple[Stream, ...]:
        """The streams that were open when it began."""
        return tuple(each for each in self.streams if each.alive_at(self.began))

    @property
    def broken(self) -> int:
        """Open connections that were cut, which a move of the VIPs can't avoid."""
        return self.cut + sum(each.broken is not None for each in self.long_lived)

    @property
    def silence(self) -> float:
        """The longest time (s) for which a watch that only reads heard nothing since the VIPs moved."""
        return max((each.since([self.moved_at]) for each in self.silences), default=0.0)

    def to_json(self) -> dict[str, object]:
        """The keys of the JSON contract. `outage_ms` is null (not measured) where no VIP can be reached from here."""
        return {
            "from": self.giver,
            "to": self.taker,
            "outage_ms": round(self.outage * 1000) if self.measured or not self.moved else None,
            "expected_ms": round(self.expected * 1000),
            "probes": self.probes,
            "failed": self.failed,
            "late": self.late,
            "failures": [
                {"address": str(probe.vip), "at_ms": round((probe.start - self.began) * 1000), "why": probe.failure}
                for probe in self.failures
            ],
            "streams": {"opened": len(self.long_lived), "broken": self.broken},
            "watches": {
                "opened": self.watches,
                "ended": self.ended_watches,
                "silence_ms": round(self.silence * 1000),
            },
            "held": self.holds,
            **({"group": self.group} if self.group else {}),
            **self.verdict.to_json(),
        }


def together(results: Sequence[HandoverResult]) -> dict[str, object]:
    """The handovers of several groups in one document: the longest outage, the sums of probes, and each by itself."""
    whole = [each.to_json() for each in results]
    first = next((each for each, one in zip(whole, results, strict=True) if one.moved), whole[0])
    outages = [each["outage_ms"] for each in whole]
    own = [{key: value for key, value in each.items() if key not in HEALTH} for each in whole]
    return {
        **whole[-1],
        "group": None,
        "outage_ms": None if None in outages else max(round(each.outage * 1000) for each in results),
        "expected_ms": max(round(each.expected * 1000) for each in results),
        "probes": sum(each.probes for each in results),
        "failed": sum(each.failed for each in results),
        "late": sum(each.late for each in results),
        "from": first["from"],
        "to": first["to"],
        "held": any(each.holds for each in results),
        "handovers": own,
    }
