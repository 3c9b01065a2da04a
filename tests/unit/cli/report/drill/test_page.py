"""The page that a drill writes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from drills import result

from lbdeploy.cli.report.drill.page import page
from lbdeploy.config.model import Cluster
from lbdeploy.operations.outage.vrrp_events import Event


def test_the_page_is_well_formed_and_refers_to_nothing(seed: Cluster) -> None:
    """What nodes said is text, not markup."""
    nasty = Event(1000.7, "lb2", "<script>alert('&')</script>")
    drawn = page(seed, [result(seed, events=(nasty,)), result(seed, "..x..")])
    assert "<script" not in drawn
    assert "http" not in drawn.replace("http-equiv", "")
    pictures = re.findall(r"<svg.*?</svg>", drawn, re.DOTALL)
    assert [len(ElementTree.fromstring(each).findall("rect")) > 3 for each in pictures] == [True, True]
