"""Which node has a VIP, as kernels tell it."""

from __future__ import annotations

import re

import pytest
from drills import VIP

from lbdeploy.operations.outage import vip_moves
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.operations.outage.vip_moves import Placed

ADDRESSES = """\
[2026-11-23T12:00:01.500000] Deleted 2: ens33    inet 192.168.0.10/24 scope global secondary ens33\\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: ens33    inet 192.168.0.10/24 scope global secondary ens33\\       valid_lft forever preferred_lft forever
[2026-11-23T12:00:02.000000] 2: ens33    inet6 fe80::1/64 scope link
[2026-11-23T12:00:0
"""
NOON = 1795435200.0


def test_who_has_a_vip_is_read_from_what_kernels_tell() -> None:
    """Of the VIPs alone; a line that was cut off is passed over."""
    found = vip_moves.read(ADDRESSES.splitlines(), "lb1", [VIP], Clock(ahead=1.0))
    assert list(found) == [Placed(NOON + 0.5, "lb1", VIP, has=False), Placed(0.0, "lb1", VIP, has=True)]


@pytest.mark.parametrize(
    ("moves", "one", "two"),
    [
        ("0+lb1", 0.0, 0.0),
        ("0+lb1 102-lb1 103+lb2", 3.0, 0.0),
        ("0+lb1 103+lb2 104-lb1", 4.0, 1.0),
        ("0+lb1 103+lb2", None, 7.0),  # both keep it
        ("0+lb1 102-lb1", None, 0.0),  # nobody has it
        ("0+lb1 103+lb2 103.01-lb1 108-lb2 108.05+lb1", 0.0, 0.0),  # as a node takes a VIP back
        ("0+lb1 90+lb2 99-lb1 115+lb1", 0.0, 0.0),  # before, and after
        ("", None, 0.0),  # nobody told anything
    ],
)
def test_a_vip_is_on_one_node_again_when_it_stays_there(moves: str, one: float | None, two: float) -> None:
    placed = [Placed(float(at), node, VIP, mark == "+") for at, mark, node in re.findall(r"([\d.]+)([+-])(\w+)", moves)]
    found = vip_moves.one_holder(placed, 100.0, 110.0)
    assert found == (one if one is None else pytest.approx(one))
    assert vip_moves.two_holders(placed, 100.0, 110.0) == pytest.approx(two)
