"""Gaps in series of probes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from drills import VIP, results
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations.outage.client import PERIOD
from lbdeploy.operations.outage.gaps import Gap, ProbeResult, cut, gaps, longest, stall

patterns = st.text(alphabet=".x", max_size=80)


@pytest.mark.parametrize(
    ("pattern", "probes", "closed"),
    [("", 0, True), ("....", 0, True), ("..x..", 2, True), (".xxx.x.", 4, True), ("..xx", 2, False), ("xx..", 2, True)],
)
def test_the_gap_is_from_the_last_good_probe_to_the_next_good_one(pattern: str, probes: int, closed: bool) -> None:
    gap = longest(results(pattern))
    assert (gap.seconds if gap else 0) == pytest.approx(probes * PERIOD)
    assert gap is None or gap.closed == closed


@pytest.mark.parametrize(("failed", "lost"), [("a", 1), ("aa", 2), ("aaa", 0), ("x", 0), ("ax", 0)])
def test_a_connection_that_a_move_cut_is_no_outage(failed: str, lost: int) -> None:
    """One or two accepted probes (a) between good ones were cut, or late; a third, or one not accepted: an outage."""
    run = [ProbeResult(VIP, 1 + number, "reset", each == "a") for number, each in enumerate(failed)]
    assert len(cut([ProbeResult(VIP, 0), *run, ProbeResult(VIP, 9)])) == lost


@pytest.mark.parametrize(("number", "waited", "lost"), [(5, 0.2, 5), (5, 0.03, 0), (5, 1.2, 0), (10, 0.5, 0)])
def test_what_was_open_at_one_moment_was_cut_by_one_move(number: int, waited: float, lost: int) -> None:
    """On a busy machine, more than two are; not those that wait for TCP to ask again, nor what hung for long."""
    run = [ProbeResult(VIP, 1 + each * PERIOD, "reset", accepted=True, waited=waited) for each in range(number)]
    assert len(cut([ProbeResult(VIP, 0), *run, ProbeResult(VIP, 9)])) == lost


def test_what_was_begun_within_an_outage_does_not_end_it() -> None:
    """SYNs that were lost and sent again, early, at the new holder's first packets: answered, but only by then."""
    held = [ProbeResult(VIP, start, waited=0.38 - start) for start in (0.1, 0.2, 0.36)]
    lost = [ProbeResult(VIP, start, "no answer in time") for start in (0.02, 0.12, 0.22, 0.37)]
    after = [ProbeResult(VIP, start, waited=0.003) for start in (0.4, 0.42)]
    assert gaps([ProbeResult(VIP, 0.0), *held, *lost, *after]) == [Gap(0.0, pytest.approx(0.38))]


def test_an_answer_that_was_on_its_way_is_no_outage_of_its_own() -> None:
    """On a busy machine answers come later than the next probe begins."""
    probes = [ProbeResult(VIP, 0.00, waited=0.05), ProbeResult(VIP, 0.02, "reset"), ProbeResult(VIP, 0.04, waited=0.05)]
    assert gaps(probes) == [Gap(0.0, pytest.approx(0.09))]


@given(patterns)
def test_there_is_a_gap_where_and_only_where_probes_failed(pattern: str) -> None:
    assert bool(gaps(results(pattern))) == ("x" in pattern)


@given(patterns)
def test_gaps_follow_on_each_other_and_hold_every_failure(pattern: str) -> None:
    found, fired = gaps(results(pattern)), results(pattern)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(any(gap.start <= probe.start <= gap.end for gap in found) for probe in fired if not probe.good)
    assert all(0 <= gap.seconds <= PERIOD * len(pattern) for gap in found)


@given(patterns, st.randoms())
def test_the_order_in_which_probes_ended_does_not_matter(pattern: str, random: object) -> None:
    shuffled = results(pattern)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gaps(shuffled) == gaps(results(pattern))


@given(patterns, st.integers(0, 79))
def test_another_failure_never_shortens_the_longest_gap(pattern: str, index: int) -> None:
    worse = pattern[:index] + "x" + pattern[index + 1 :]
    before, after = longest(results(pattern)), longest(results(worse))
    assert before is None or (after is not None and after.seconds >= before.seconds - 1e-9)


def test_a_prober_that_stood_still_is_found_out() -> None:
    assert stall([*results("..."), *results("...", 1.0)]) == pytest.approx(0.96)
