"""The report of a drill, and its timeline."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from drills import VIP, result, results, text

from lbdeploy.cli.report.drill.page import page
from lbdeploy.config.model import Cluster
from lbdeploy.operations.outage.views import View
from lbdeploy.operations.outage.vip_moves import Placed


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_timeline_fits_and_no_short_silence_is_lost(seed: Cluster, width: int) -> None:
    drawn = text(result(seed, "." * 50 + "x" + "." * 250), width)
    rows = {line.split()[0]: line for line in drawn.splitlines() if line.startswith(("192", "lb"))}
    assert all(len(line) <= max(width, 40) for line in drawn.splitlines() if line.startswith(("192", "lb2")))
    assert "x" in rows["192.168.0.10"].partition(" ")[2]
    assert re.search(r"b+M+$", rows["lb2"])


def test_the_report_says_what_others_saw_and_who_had_the_vips(seed: Cluster) -> None:
    placed = (Placed(0.0, "lb1", VIP, has=True), Placed(1000.1, "lb1", VIP, has=False))
    other = View("lb2", VIP, tuple(results("." * 50 + "x" * 59 + ".", 999.0)))
    whole = result(seed, placed=(*placed, Placed(1000.8, "lb2", VIP, has=True)))
    whole = replace(whole, views=(*whole.views, other))
    assert "Outage 1.22 s (lb2 saw 1.20 s), predicted" in text(whole)
    for drawn in (text(whole), page(seed, [whole])):
        assert "Each VIP was on one node after 0.80 s; two had them for 0.00 s" in drawn
    assert whole.to_json()["one_holder_ms"] == 800
    assert "Not every VIP was on one node" in text(replace(whole, placed=placed))
