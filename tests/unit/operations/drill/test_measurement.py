"""What is made of what nodes and clients report while a drill lasts."""

from __future__ import annotations

from typing import Any

import pytest
from drills import VIP, seeded

from lbdeploy.operations.drill import measurement
from lbdeploy.operations.drill.faults import FaultTarget, Name, kind, of_server
from lbdeploy.operations.drill.measurement import Measurement
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.operations.outage.vip_moves import Placed

HAD = f"1: ens33 inet {VIP}/24 scope global secondary ens33"


class Reports:
    """What the nodes have printed: lb1 had a VIP, and gave it up, or so it noticed, when it went on."""

    def lines(self, node: str) -> tuple[str, ...]:
        return (HAD, f"[2026-11-29T12:00:12.500000] Deleted 2: ens33 inet {VIP}/24 x") if node == "lb1" else ()


def placed(name: Name, monkeypatch: pytest.MonkeyPatch) -> list[Placed]:
    monkeypatch.setattr(measurement, "WATCHES", 0)
    cluster = seeded()
    target = FaultTarget("lb1", kind(name, cluster, cluster.preferred), cluster.preferred)
    found = Measurement(cluster, target, {"lb1": Clock(), "lb2": Clock()})
    found._there = Reports()  # type: ignore[assignment]
    at = 1795953600.0  # 12:00:00
    return [each for each in found._placed(at, at + 10) if each.vip == VIP]


def test_a_node_that_is_cut_off_has_no_vip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its kernel believes: nobody reaches it there."""
    seen = placed("power", monkeypatch)
    assert [(each.at > 0, each.has) for each in seen] == [(False, True), (True, False)]


def test_a_node_that_was_frozen_has_its_vips_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it lets go of them."""
    seen = sorted(placed("freeze", monkeypatch), key=lambda each: each.at)
    assert [each.has for each in seen] == [True, False, True, False]
    assert [round(each.at - 1795953600.0, 1) for each in seen[1:]] == [0.0, 10.0, 12.5]


def test_there_are_more_watches_where_one_of_them_is_to_be_hit() -> None:
    """A server has only a part of them."""
    cluster, clocks = seeded(), {"lb1": Clock()}
    node: Any = FaultTarget("lb1", kind("hang", cluster, cluster.preferred), cluster.preferred)
    server = FaultTarget("master1", of_server("server"))
    few, many = (len(Measurement(cluster, each, clocks).here.watches) for each in (node, server))
    assert (few, many) == (6, 12)
    texts = Measurement(cluster, server, clocks)._telling(5)
    assert all("setpriv" in text for text in texts.values())
