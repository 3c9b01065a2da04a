"""What a series of probes says about an outage. Pure.

The gap is the time from the start of the last good probe before a failure to the start of the first good one after it.
A probe is good if an answer's first byte came within its time limit. Where no probe failed there is no gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

from lbdeploy.config.model import Address


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe of a VIP: when it started (s, Unix, the operator's clock), and why it failed: "" if it did not.

    `accepted`: the TCP connection was established.
    """

    vip: Address
    start: float
    failure: str = ""
    accepted: bool = False

    @property
    def good(self) -> bool:
        return not self.failure


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which no probe was good. `closed` False: none was good after it, so it may have lasted longer."""

    start: float
    end: float
    closed: bool = True

    @property
    def seconds(self) -> float:
        return self.end - self.start


def gaps(results: Iterable[ProbeResult]) -> list[Gap]:
    """Every gap in the probes of one VIP, in order."""
    ordered = sorted(results, key=attrgetter("start"))
    runs = [(good, list(run)) for good, run in groupby(ordered, attrgetter("good"))]
    return [_gap(runs, index) for index, (good, _) in enumerate(runs) if not good]


def cut(results: Iterable[ProbeResult]) -> list[ProbeResult]:
    """The probes of one VIP whose connections were open when it moved: its new holder does not know them.

    Such a probe fails between two good ones, and so may the next, which was being accepted. More failures in a row are
    an outage.
    """
    ordered = sorted(results, key=attrgetter("start"))
    runs = [list(run) for good, run in groupby(ordered, attrgetter("good")) if not good]
    return [probe for run in runs if len(run) <= 2 and all(each.accepted for each in run) for probe in run]


def longest(results: Iterable[ProbeResult]) -> Gap | None:
    """The longest gap in the probes of one VIP, if there is any."""
    return max(gaps(results), key=attrgetter("seconds"), default=None)


def _gap(runs: Sequence[tuple[bool, list[ProbeResult]]], index: int) -> Gap:
    failed = runs[index][1]
    start = runs[index - 1][1][-1].start if index else failed[0].start
    closed = index + 1 < len(runs)
    return Gap(start, runs[index + 1][1][0].start if closed else failed[-1].start, closed)


def by_vip(results: Iterable[ProbeResult]) -> dict[Address, list[ProbeResult]]:
    """The probes of each VIP."""
    found: dict[Address, list[ProbeResult]] = {}
    for probe in results:
        found.setdefault(probe.vip, []).append(probe)
    return found


def stall(results: Sequence[ProbeResult]) -> float:
    """The longest time (s) in which no probe of a VIP was started: how far the prober itself can be trusted."""
    starts = sorted(probe.start for probe in results)
    return max((later - earlier for earlier, later in pairwise(starts)), default=0.0)
