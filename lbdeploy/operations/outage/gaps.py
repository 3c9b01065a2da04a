"""What a series of probes says about an outage. Pure.

A gap is the time from the start of the last good probe before a failure to the first answer to a probe that was begun
after that failure. A probe is good if an answer's first byte came within its time limit. Where no probe failed there is
no gap.

A probe that was begun within a gap belongs to it, also where it was answered in the end. A tickle ACK that reaches a
client whose SYN was lost makes Linux send the SYN again at once, not after a second (tcp_rcv_synsent_state_process;
measured: the SYNs of an outage of 360 ms were answered 170 to 480 ms after they had been sent first).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from math import inf
from operator import attrgetter

from lbdeploy.config.model import Address

PATIENCE = 0.9  # seconds for an answer: less than TCP waits before it sends a SYN again (RFC 6298 section 2.1)
MOMENT = 0.1  # seconds within which probes may begin that one move has cut: what fails for longer is an outage


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe of a VIP: when it started (s, Unix, the operator's clock), and why it failed: "" if it did not.

    `accepted`: the TCP connection was established. `waited`: seconds until the answer, or until it failed.
    """

    vip: Address
    start: float
    failure: str = ""
    accepted: bool = False
    waited: float = 0.0

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
    answers = _next_answers(ordered)
    found: list[Gap] = []
    for index, probe in enumerate(ordered):
        within = bool(found) and (probe.start < found[-1].end or not found[-1].closed)
        if not (probe.good or within):
            found.append(_gap(ordered, index, answers[index]))
    return found


def _next_answers(ordered: Sequence[ProbeResult]) -> list[float]:
    """For each probe, when the first of those that were begun after it was answered (s, Unix); infinite: none was."""
    answered = [probe.start + probe.waited if probe.good else inf for probe in ordered[1:]]
    return [*accumulate(reversed(answered), min, initial=inf)][::-1]


def _gap(ordered: Sequence[ProbeResult], failed: int, answer: float) -> Gap:
    """The gap that begins before the probe at `failed`, the first that failed in it."""
    start = ordered[max(failed - 1, 0)].start
    return Gap(start, answer) if answer < inf else Gap(start, ordered[-1].start, closed=False)


def cut(results: Iterable[ProbeResult]) -> list[ProbeResult]:
    """The probes of one VIP that were under way when it moved: its new holder does not know their connections, or their
    SYN came when no node held the VIP, and the second one was answered.

    Such a probe fails between two good ones, and so may the next, which was being accepted. More failures in a row are
    an outage, unless they began within a MOMENT, and all of these connections were open at once, as on a busy machine.
    """
    ordered = sorted(results, key=attrgetter("start"))
    runs = [list(run) for good, run in groupby(ordered, attrgetter("good")) if not good]
    return [probe for run in runs if _by_a_move(run) for probe in run]


def _by_a_move(run: Sequence[ProbeResult]) -> bool:
    """Whether the move of a VIP explains these failures, all in a row."""
    at_once = run[-1].start <= min(run[0].start + MOMENT, *(each.start + each.waited for each in run))
    ended_soon = all(each.waited < PATIENCE for each in run)  # what waits for longer was not cut
    return all(each.accepted for each in run) and (len(run) <= 2 or (at_once and ended_soon))


def longest(results: Iterable[ProbeResult]) -> Gap | None:
    """The longest gap in the probes of one VIP, if there is any."""
    return max(gaps(results), key=attrgetter("seconds"), default=None)


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
