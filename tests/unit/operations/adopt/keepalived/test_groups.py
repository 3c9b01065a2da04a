"""Which instances of a pair built by hand become groups of VIPs, and why some do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import handmade_files as made
import pytest
from handmade_files import adopt_all, links, pair_of, told

from lbdeploy.config import reader
from lbdeploy.operations.adopt.reading.machine import Machine
from lbdeploy.operations.adopt.result import Adopted

SECOND = """\
vrrp_instance EXTERNAL {
    state BACKUP
    interface eth0
    virtual_router_id 71
    priority PRIORITY
    virtual_ipaddress {
        10.20.0.77/24
    }
}
"""
THERE = "unicast_src_ip 10.20.0.OWN\n unicast_peer {\n  10.20.0.PEER\n }\n"
UNICAST_PAIR = made.K3S_KEEPALIVED.replace("virtual_router_id 51", f"virtual_router_id 51\n {THERE}")
UNICAST_SECOND = SECOND.replace("virtual_router_id 71", f"virtual_router_id 71\n {THERE}")


def vrrp(found: Adopted) -> dict[str, Any]:
    """[vrrp] of a hosts.toml that `check` accepts."""
    assert reader.problems(found.draft, dict(found.files)) == []
    table: dict[str, Any] = found.draft["vrrp"]
    return table


def apart(keepalived: str) -> list[Machine]:
    """A pair on which the other node holds 10.20.0.77."""
    one, two = pair_of(keepalived, made.K3S_HAPROXY)
    return [one, replace(two, links=links("eth0 10.20.0.12/24", "eth0 10.20.0.77/32"))]


def test_groups_keep_what_is_their_own() -> None:
    """Priorities where they differ from the nodes', and how VIPs are taken back; each is told by its own line."""
    second = UNICAST_SECOND.replace("priority PRIORITY", "priority 1PEER\n preempt_delay 7")
    found = adopt_all(apart(UNICAST_PAIR.replace("STATE", "BACKUP") + second))
    wrote = vrrp(found)
    assert wrote["groups"]["EXTERNAL"] == {
        "router_id": 71,
        "vips": "10.20.0.77",
        "priorities": {"lb1": 112, "lb2": 111},
        "preempt_delay": 7,
    }
    assert wrote["groups"]["haproxy-vip"] == {"router_id": 51, "vips": "10.20.0.10"}
    assert told(found, "preempt_delay 7") == ("kept", "vrrp.groups.EXTERNAL.preempt_delay = 7")
    assert told(found, "priority 111", "lb2") == ("kept", "vrrp.groups.EXTERNAL.priorities.lb2 = 111")
    assert told(found, "priority 110") == ("kept", "nodes.lb1.priority = 110")
    held = adopt_all(apart(UNICAST_PAIR + second.replace("preempt_delay 7", "nopreempt")))
    assert vrrp(held)["groups"]["EXTERNAL"]["preempt"] is False
    assert told(held, "nopreempt") == ("kept", "vrrp.groups.EXTERNAL.preempt = false")


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (SECOND, "the adverts of haproxy-vip and EXTERNAL change, and different nodes hold them"),
        (SECOND.replace("router_id 71", "router_id 51"), "do not all have a virtual_router_id"),
        (SECOND.replace("EXTERNAL", "haproxy_vip"), "their names are too much alike"),
        (SECOND.replace("10.20.0.77", "10.20.0.10"), "a VIP is in two of them"),
        (SECOND + "vrrp_sync_group S {\n group {\n  EXTERNAL\n }\n}\n", "a vrrp_sync_group keeps them together"),
    ],
)
def test_what_can_be_no_groups_is_one_instance_and_that_is_told(second: str, why: str) -> None:
    """All VIPs are there, and move together."""
    found = adopt_all(apart(made.K3S_KEEPALIVED + second))
    wrote = vrrp(found)
    assert (wrote["router_id"], "groups" in wrote) == (51, False)
    (note,) = (each for each in found.notes if "no groups of VIPs" in each)
    assert why in note


def test_instances_whose_peers_know_them_again_may_have_different_holders() -> None:
    """Their adverts come from where they came from: nobody elects anew."""
    assert "groups" in vrrp(adopt_all(apart(UNICAST_PAIR + UNICAST_SECOND)))
    assert "groups" in vrrp(adopt_all(apart(UNICAST_PAIR + SECOND)))  # one alone does


def test_what_a_group_can_not_keep_is_told_by_its_line() -> None:
    """Two nodes of one priority, and adverts on another network than the others'."""
    second = SECOND.replace("priority PRIORITY", "priority 100").replace("interface eth0", "interface eth1")
    second = second.replace("10.20.0.77/24", "10.20.0.77/24 dev eth0")
    found = adopt_all(pair_of(made.K3S_KEEPALIVED + second, made.K3S_HAPROXY))
    assert vrrp(found)["groups"]["EXTERNAL"]["priorities"] == {"lb1": 100, "lb2": 99}
    assert told(found, "priority 100", "lb2") == ("kept", "nodes.lb2.priority = 100")
    rows = {(each.nodes, each.verdict, each.meaning) for each in found.rows if each.text == "priority 100"}
    why = "vrrp.groups.EXTERNAL.priorities.lb2 = 99: each node needs a priority of its own"
    assert (("lb2",), "changes", why) in rows
    assert told(found, "interface eth1") == (
        "changes",
        "its adverts travel on network lan, eth0, as those of all groups do",
    )


def test_a_script_that_only_another_group_tracked_is_told_to_end() -> None:
    """What is tracked is common to all groups."""
    other = "vrrp_script own {\n script /bin/true\n interval 2\n}\n"
    second = SECOND.replace("    virtual_ipaddress", "    track_script {\n        own\n    }\n    virtual_ipaddress")
    found = adopt_all(pair_of(other + made.K3S_KEEPALIVED + second, made.K3S_HAPROXY))
    assert told(found, "own")[0] == "ends"
