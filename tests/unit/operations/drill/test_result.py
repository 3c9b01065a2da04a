"""Drills, without nodes: what a series of probes says, what the timers predict, and what is drawn of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drills import OTHER, VIP, result, results, text

from lbdeploy.config.model import Cluster
from lbdeploy.operations.drill.result import together
from lbdeploy.operations.outage.gaps import ProbeResult
from lbdeploy.operations.outage.views import HERE, View


def test_the_contract_of_the_document(seed: Cluster) -> None:
    document = result(seed).to_json()
    assert document["outage_ms"] == pytest.approx(1220)
    assert (document["probes"], document["failed"], document["expected_ms"]) == (310, 60, 1610)
    assert (document["from"], document["to"]) == ("lb1", "lb2")
    assert document["streams"] == {"opened": 2, "broken": 1}


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
