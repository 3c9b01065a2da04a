"""Drills, without nodes: what a series of probes says, what the timers predict, and what is drawn of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drills import OTHER, VIP, result, results, text

from lbdeploy.cli.report.drill.page import page
from lbdeploy.config.model import Cluster
from lbdeploy.operations.drill.faults import kind, of_server
from lbdeploy.operations.drill.result import DrilledGroup, failure, together
from lbdeploy.operations.outage.gaps import ProbeResult
from lbdeploy.operations.outage.views import HERE, View
from lbdeploy.operations.outage.vrrp_events import Event
from lbdeploy.operations.outage.watch import Silence


def test_the_contract_of_the_document(seed: Cluster) -> None:
    document = result(seed).to_json()
    assert document["outage_ms"] == pytest.approx(1220)
    assert (document["probes"], document["failed"], document["expected_ms"]) == (310, 60, 1610)
    assert (document["from"], document["to"]) == ("lb1", "lb2")
    assert document["streams"] == {"opened": 2, "broken": 1}


def silent(start: float, end: float, *, told: bool = True) -> Silence:
    return Silence(VIP, start, end, told)


def test_the_silence_of_watches_is_judged_by_its_own_limit(seed: Cluster) -> None:
    """As long as hosts.toml's timers, or a little longer; what was silent before the break does not count."""
    watched = {"watches": 2, "ended_watches": 1, "expected_silence": 3.0}
    fine = result(seed, silences=(silent(990.0, 999.9), silent(999.95, 1003.2)), **watched)
    long = result(seed, silences=(silent(1000.0, 1003.4),), **watched)
    assert fine.to_json()["watches"] == {"opened": 2, "ended": 1, "silence_ms": 3200, "expected_ms": 3000}
    assert fine.to_json()["silences"] == [{"address": str(VIP), "at_ms": 0, "silence_ms": 3200, "over": True}]
    assert (fine.ok, long.ok, long.answered_in_time) == (True, False, True)
    error = failure([fine, long])
    assert error is not None
    assert error.message == "a watch that only reads heard nothing for 3.40 s, longer than predicted: at most 3.00 s"
    for drawn in (text(long), page(seed, [long])):
        assert "3.40 s, predicted: at most 3.00 s: too long; 1 of 2 watches that only read ended" in drawn
        assert f"{VIP} watch" in drawn


def test_a_silence_that_nothing_ends_is_not_judged(seed: Cluster) -> None:
    """With a keepalived.conf of the operator's own; that is told."""
    own = result(seed, silences=(silent(1000.0, 1005.0),), watches=1, expected_silence=None)
    assert own.ok
    assert own.to_json()["watches"]["expected_ms"] is None  # type: ignore[index]
    assert "nothing would end them" in text(own)


def test_vips_that_return_too_soon_are_named_as_the_cause(seed: Cluster) -> None:
    """haproxy that hung does not know yet who is connected to the other node."""
    back = Event(1004.0, "lb1", "enters MASTER", "MASTER")
    hung = result(seed, silences=(silent(1001.0, 1005.0),), watches=1, expected_silence=3.0)
    hung = replace(hung, kind=kind("hang", seed, seed.preferred), events=(*hung.events, back))
    error = failure([hung])
    assert error is not None
    assert "preempt_delay = 10 is enough" in error.message


def test_probes_that_fail_once_a_server_is_down_are_counted(seed: Cluster) -> None:
    """By the holder's haproxy; and outages of a probe or two, of which there are many, are not listed."""
    down = Event(1000.9, "lb1", "haproxy calls k8s-api/master1 DOWN")
    lost = result(seed, "." * 50 + ".x" * 20 + "." * 60 + "x" + "." * 9, events=(down,), kind=of_server("server"))
    assert (lost.failed, lost.failed_after_out) == (21, 1)
    assert lost.to_json()["outages"] == []
    assert "21 of 160 probes failed, 1 of them after it was called down" in text(lost)


def test_a_vip_that_cant_be_reached_from_here_counts_as_another_node_saw_it(seed: Cluster) -> None:
    blind = View(HERE, OTHER, tuple(ProbeResult(OTHER, 999.0 + n, "No route to host") for n in range(5)))
    seen = View("lb2", OTHER, tuple(ProbeResult(OTHER, each.start, each.failure) for each in results(".xxx.", 1000.0)))
    both = result(seed, ".....")
    both = replace(both, views=(*both.views, blind, seen))
    assert both.outage == pytest.approx(0.08)
    assert [(view.client, view.vip) for view in both.measured] == [(HERE, VIP), ("lb2", OTHER)]
    assert "can't be reached from here" in text(both)


@pytest.mark.parametrize(
    ("pattern", "healthy", "ok"),
    [
        ("." * 50 + "x" * 60 + ".", True, True),
        ("." * 50 + "x" * 200 + ".", True, False),  # longer than predicted
        ("." * 50 + "x" * 10, True, False),  # never answered again
        ("." * 50 + "x" * 60 + ".", False, False),
        ("x" * 50, True, False),  # nothing was measured
    ],
)
def test_what_is_a_success(seed: Cluster, pattern: str, healthy: bool, ok: bool) -> None:
    assert result(seed, pattern, healthy=healthy).ok == ok


def test_several_drills_are_one_document(seed: Cluster) -> None:
    document = together([result(seed), result(seed, "..x..")])
    assert document["outage_ms"] == pytest.approx(1220)
    assert document["failed"] == 61
    assert len(document["drills"]) == 2  # type: ignore[arg-type]


def seen_by(client: str, pattern: str) -> View:
    return View(client, VIP, tuple(results(pattern, 999.0)))


def test_it_is_as_predicted_only_where_every_client_saw_no_more(seed: Cluster) -> None:
    """Also those on the other nodes: each has an ARP cache of its own."""
    short = result(seed)
    slow = replace(short, views=(*short.views, seen_by("lb3", "." * 50 + "x" * 150 + ".")))
    assert (short.in_time, slow.in_time, slow.outage) == (True, False, short.outage)
    assert "as predicted" not in text(slow)
    assert "lb3 saw 3.02 s" in text(slow)
    error = failure([slow])
    assert error is not None
    assert error.message == "the outage was 3.02 s, longer than predicted: at most 1.61 s"


def test_a_client_without_a_way_to_a_vip_is_named_and_left_out(seed: Cluster) -> None:
    """Its probes, none of which was answered, are no outage, though it reached the other VIP."""
    blind = View("lb2", OTHER, tuple(ProbeResult(OTHER, 999.0 + n, "No route to host") for n in range(15)))
    both = replace(result(seed), views=(*result(seed).views, seen_by("lb2", "." * 50 + "x" * 59 + "."), blind))
    assert both.in_time
    assert "lb2 saw 1.20 s" in text(both)
    for drawn in (text(both), page(seed, [both])):
        assert f"{OTHER} can" in drawn
        assert "reached from lb2: it was not measured" in drawn
    assert {each["client"] for each in both.to_json()["outages"]} == {HERE, "lb2"}  # type: ignore[attr-defined]
    assert len(both.to_json()["outages"]) == 2  # type: ignore[arg-type]


def test_every_outage_of_a_drill_is_told(seed: Cluster) -> None:
    """The repair may bring a second one, which the longest does not show."""
    twice = result(seed, "." * 50 + "x" * 60 + "." * 60 + "x" * 30 + "." * 50)
    found = twice.to_json()["outages"]
    assert [(each["at_ms"], each["outage_ms"], each["over"]) for each in found] == [  # type: ignore[attr-defined]
        (-20, 1220, True),
        (2380, 620, True),
    ]
    for drawn in (text(twice), page(seed, [twice])):
        assert f"{VIP} had 2 outages: 1.22 s from -0.02 s on, 0.62 s from 2.38 s on" in drawn


def test_each_group_is_judged_by_what_was_predicted_for_it(seed: Cluster) -> None:
    """Clients of a group that another node holds are to notice nothing, however long the outage of the other may be."""
    lost = DrilledGroup("api", "VI_API", (VIP,), "lb1", 1.3, 3.0)
    kept = DrilledGroup("ingress", "VI_INGRESS", (OTHER,), "lb2", 0.0, 0.0)
    events = (Event(1000.4, "lb1", "enters MASTER", "MASTER", "VI_X"), Event(1001.2, "lb2", "", "MASTER", "VI_API"))
    fine = result(seed, groups=(lost, kept), events=events)
    views = tuple(replace(view, vip=OTHER) for view in fine.views if view.vip == VIP)
    late = replace(fine, views=views)
    assert (fine.ok, late.ok, fine.taker) == (True, False, "lb2")
    error = failure([late])
    assert error is not None
    assert error.message.startswith("the outage of ingress was 1.22 s, longer than predicted: at most 0.00 s")
    told = fine.to_json()["groups"]
    assert told[0] == {
        "group": "api", "from": "lb1", "to": "lb2", "outage_ms": 1220, "expected_ms": 1300, "silence_ms": 0
    }  # fmt: skip
    assert (told[1]["from"], told[1]["to"], told[1]["outage_ms"]) == ("lb2", "lb2", 0)
    assert "api went to lb2, outage 1.22 s of at most 1.30 s; ingress stayed on lb2" in text(fine)
    assert "lb1 ingress" in text(fine)
