"""What is said where several nodes hold a VIP: what was seen of the cause, or who finds out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import LONG_AGO, observe, running, stopped

from lbdeploy.config.model import Cluster
from lbdeploy.health import both_hold
from lbdeploy.health.state import ClusterState
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning.desired import KEEPALIVED_CONF

CONF = "vrrp_instance A {{\n virtual_router_id {}\n unicast_peer {{\n 192.168.1.12\n }}\n}}\n"


def told(seed: Cluster, ids: tuple[int, int] = (101, 101), **of_lb2: Any) -> str:
    """What is said of a pair with these virtual router IDs, both of which hold the VIPs."""
    both = []
    for name, number in zip(("lb1", "lb2"), ids, strict=True):
        conf = FileState("file", "644", "root:root", LONG_AGO, CONF.format(number))
        states = {f"file {KEEPALIVED_CONF}": conf, "service keepalived": running()}
        states |= of_lb2.get("states", {}) if name == "lb2" else {}
        both.append(observe(seed, seed.node(name), holds=True, states=states))
    both[1] = replace(both[1], lost_address=of_lb2.get("lost_address"))
    return both_hold.remedy(ClusterState(seed, both), ["lb1", "lb2"])


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"states": {"service keepalived": stopped()}}, "keepalived does not run on lb2, and has left the VIPs there"),
        ({"lost_address": ip_address("192.168.1.12")}, "lb2 lacks its own address 192.168.1.12, and hears no peer"),
        ({"ids": (101, 102)}, "the keepalived.conf of lb1 and of lb2 differ in what peers must agree on: lbdeploy up"),
    ],
)
def test_a_cause_that_was_seen_is_told(seed: Cluster, seen: dict[str, Any], said: str) -> None:
    """Before anybody is sent to look for a firewall."""
    assert told(seed, **seen).startswith(said)


def test_where_no_cause_was_seen_doctor_looks_for_it(seed: Cluster) -> None:
    """Nothing is blamed that was not looked at."""
    assert told(seed) == both_hold.ASK
