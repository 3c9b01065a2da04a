"""Which node has the VIPs, and why that one: what is tracked lowers priorities."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, LONG_AGO, cluster, observe, running, stopped
from clusters import with_options
from goldens import GROUPS

from lbdeploy.config.model import Cluster
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.health.vips import ASK_DOCTOR, holder, placed, tracked
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import FAULT_STATE, GroupState, Observation
from lbdeploy.node.parsers import parse_ip_a
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning.desired import KEEPALIVED_CONF


def seen(of: Cluster, name: str, said: KeepalivedState, *, holds: bool = False, **changes: Any) -> Observation:
    return observe(of, of.node(name), holds=holds, keepalived=said, **changes)


def told(of: Cluster, *observations: Observation) -> list[Finding]:
    """What is said of who holds the VIPs, and of what nodes track."""
    state = ClusterState(of, observations)
    return [*holder(state), *tracked(state)]


def test_a_holder_by_what_is_tracked_is_right(tmp_path: Path) -> None:
    """Where the preferred node is lowered, the other one holds the VIPs; it is said why, and what to look at."""
    of = with_options(tmp_path)
    lowered = seen(of, "lb1", KeepalivedState("BACKUP", 100, 1.0))
    why, warning = told(of, lowered, seen(of, "lb2", KeepalivedState("MASTER", 120, 1.0), holds=True))
    assert (why.ok, why.detail) == (True, "lb2 holds the VIPs; lb1 has priority 100, with what it tracks: -100")
    assert (warning.node, warning.check, warning.is_error) == ("lb1", "track", False)
    assert not warning.ok


def test_a_node_in_the_state_fault_can_not_hold(tmp_path: Path) -> None:
    """A script of weight 0 that fails takes the node out of the election: no other could take over from its peer."""
    of = with_options(tmp_path)
    why, warning = told(
        of,
        seen(of, "lb1", KeepalivedState(FAULT_STATE, 220, 1.0)),
        seen(of, "lb2", KeepalivedState("MASTER", 120, 1.0), holds=True),
    )
    assert why.ok
    assert "lb1 cannot take over: its keepalived is in FAULT state, by what it tracks" in why.detail
    assert (warning.is_warning, warning.settling) == (True, True)


def test_what_all_have_in_common_needs_no_word(tmp_path: Path) -> None:
    """A script of weight 20 that is well on both raises both; keepalived that can't be asked says nothing."""
    of = with_options(tmp_path)
    (why,) = told(
        of,
        seen(of, "lb1", KeepalivedState("MASTER", 220, 1.0), holds=True),
        seen(of, "lb2", KeepalivedState("BACKUP", 120, 1.0)),
    )
    assert why.detail == "lb1 holds the VIPs, as its priority says"
    assert observe(of, of.node("lb1")).priority == 200


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        (KeepalivedState(), {}),
        (KeepalivedState("BACKUP"), {}),
        (KeepalivedState(FAULT_STATE, 100, 1.0), {"haproxy_answers": False}),
        (KeepalivedState("INIT", 100, 1.0), {}),
    ],
)
def test_what_is_not_known_or_has_another_cause_is_not_said_to_be_tracked(
    tmp_path: Path, said: KeepalivedState, changes: dict[str, Any]
) -> None:
    """A keepalived that can't be asked, or has just begun, and a haproxy that fails, say nothing of what is tracked."""
    of = with_options(tmp_path)
    assert list(tracked(ClusterState(of, [seen(of, "lb1", said, **changes)]))) == []


IP_A = """\
2: ens32@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    inet6 fd00:1::9/128 scope global nodad deprecated
       valid_lft forever preferred_lft 0sec
    inet6 fd00:1::10/64 scope global {flags}
       valid_lft forever preferred_lft forever
"""


@pytest.mark.parametrize(
    ("flags", "doubt"),
    [
        ("nodad", ""),
        ("tentative", "tentative"),
        ("dadfailed tentative", "dadfailed"),
        ("tentative optimistic", "tentative"),
    ],
)
def test_an_address_that_can_not_be_used_is_told(tmp_path: Path, flags: str, doubt: str) -> None:
    """A VIP that the kernel has not accepted is not one that is answered, and verify says so."""
    of = cluster(tmp_path, BIG)
    (link,) = parse_ip_a(IP_A.format(flags=flags))
    assert link.doubtful == ({ip_address("fd00:1::10"): doubt} if doubt else {})
    look = observe(of, of.node("lb-a"), links=(replace(link, name="eth1"),))
    (found,) = (each for each in placed(ClusterState(of, [look])) if each.subject == "fd00:1::10")
    assert found.ok == (not doubt)
    assert found.settling == (doubt == "tentative")
    assert doubt in found.detail


CONF = "vrrp_instance A {{\n virtual_router_id {}\n unicast_peer {{\n 192.168.1.12\n }}\n}}\n"


def said_of_both(seed: Cluster, ids: tuple[int, int] = (101, 101), **of_lb2: Any) -> str:
    """What is said of a pair with these virtual router IDs, both of which hold the VIPs."""
    both = []
    for name, number in zip(("lb1", "lb2"), ids, strict=True):
        conf = FileState("file", "644", "root:root", LONG_AGO, CONF.format(number))
        states = {f"file {KEEPALIVED_CONF}": conf, "service keepalived": running()}
        states |= of_lb2.get("states", {}) if name == "lb2" else {}
        both.append(observe(seed, seed.node(name), holds=True, states=states))
    both[1] = replace(both[1], lost_address=of_lb2.get("lost_address"))
    return next(str(each.fix) for each in placed(ClusterState(seed, both)) if "at once" in each.detail)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"states": {"service keepalived": stopped()}}, "keepalived does not run on lb2, and has left the VIPs there"),
        ({"lost_address": ip_address("192.168.1.12")}, "lb2 lacks its own address 192.168.1.12, and hears no peer"),
        ({"ids": (101, 102)}, "the keepalived.conf of lb1 and of lb2 differ in what peers must agree on: lbdeploy up"),
    ],
)
def test_a_cause_that_was_seen_is_said_of_both(seed: Cluster, seen: dict[str, Any], said: str) -> None:
    """Before anybody is sent to look for a firewall."""
    assert said_of_both(seed, **seen).startswith(said)


def test_where_no_cause_was_seen_doctor_looks_for_it(seed: Cluster) -> None:
    """Nothing is blamed that was not looked at."""
    assert said_of_both(seed) == ASK_DOCTOR


def grouped(folder: Path, *homes: str) -> ClusterState:
    """Two groups, each of whose VIPs the named node has."""
    of = cluster(folder, GROUPS)
    there = dict(zip((part.group for part in of.parts), homes, strict=True))
    nodes = []
    for node in of.nodes:
        own = [vip.address for vip in of.vips if there[vip.group] == node.name and vip.network == "external"]
        management = [vip.address for vip in of.vips if there[vip.group] == node.name and vip.network == "management"]
        found = observe(of, node)
        links = tuple(
            replace(link, addresses=(*link.addresses, *{"ens33": own, "ens32": management}.get(link.name, [])))
            for link in found.links
        )
        nodes.append(replace(found, links=links))
    return ClusterState(of, nodes)


def test_each_group_has_a_holder_of_its_own(tmp_path: Path) -> None:
    """Which is judged by its own priorities; two findings, told apart by their subjects."""
    found = {each.subject: (each.severity, each.detail) for each in holder(grouped(tmp_path, "lb1", "lb2"))}
    assert found == {
        "k8s-api": ("ok", "lb1 holds the VIPs of k8s-api, as its priority says"),
        "ingress_2": ("ok", "lb2 holds the VIPs of ingress_2, as its priority says"),
    }
    other = {each.subject: each for each in holder(grouped(tmp_path, "lb1", "lb1"))}
    assert other["k8s-api"].ok
    assert other["ingress_2"].is_warning
    assert other["ingress_2"].detail.startswith("lb1 holds the VIPs of ingress_2, although lb2 could")


def test_a_handover_of_a_group_is_told_of_that_group(tmp_path: Path) -> None:
    """With the command that ends it."""
    state = grouped(tmp_path, "lb1", "lb1")
    lb1, lb2 = state.observations
    moved = replace(lb1, groups={"ingress_2": GroupState(101, LONG_AGO)})
    found = {each.subject: each.detail for each in holder(ClusterState(state.cluster, [moved, lb2]))}
    assert found["k8s-api"] == "lb1 holds the VIPs of k8s-api, as its priority says"
    assert found["ingress_2"] == (
        "lb1 holds the VIPs of ingress_2 after a handover: until lbdeploy handover --group ingress_2 --back, or its "
        "next start; then lb2 takes them again"
    )
