"""What a node must have before anything is put on it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, SEED, as_by, captured, cluster, links, observe, plans, stopped
from clusters import WITH_SOURCES
from goldens import GOOD, GROUPS

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.node.drift import diff
from lbdeploy.node.observation import NodeProbeScript, Observation
from lbdeploy.node.parsers import Link, Neighbour, Room, parse_ip_a
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.planning.desired import KEEPALIVED_CONF, PACKAGES, apt_files, desired
from lbdeploy.planning.preflight import foreigners, left_out, preflight, refused_versions, unlike_peers


def lb1(seed: Cluster, **changes: Any) -> Observation:
    return observe(seed, seed.node("lb1"), holds=True, **changes)


def run(script: str) -> str:
    return subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout


def complaints(seed: Cluster, observation: Observation) -> list[tuple[str, str]]:
    return [(each.check, each.detail) for each in preflight(seed, observation)]


def test_a_fit_node_is_let_pass(seed: Cluster) -> None:
    """A node with apt, its interfaces and its addresses is fit."""
    assert complaints(seed, lb1(seed)) == []
    assert complaints(seed, lb1(seed, links=parse_ip_a(captured("ip_a/seed_before")))) == []


def test_a_node_without_apt_is_refused(seed: Cluster) -> None:
    """What can't install packages is no node for lbdeploy."""
    assert complaints(seed, lb1(seed, apt=False)) == [("apt", "has no apt-get")]


def test_a_missing_interface_is_told_with_those_that_are_there(seed: Cluster) -> None:
    """The remedy names the interfaces that the node has, and the setting to write."""
    found = list(preflight(seed, lb1(seed, links=links(seed, seed.node("lb1"), holds=False)[:2])))
    assert [each.detail for each in found] == ["has no interface ens32, for network management"]
    fix = found[0].fix or ""
    where, _, rest = fix.partition(": ")
    line = int(where.rpartition(":")[2])
    assert 'interface = "ens32"' in seed.path.read_text().splitlines()[line - 1]
    assert rest == 'did you mean ens33? it has: ens33; for lb1 alone: nodes.lb1.interfaces = { management = "NAME" }'


def test_a_missing_address_is_told_with_where_it_is(seed: Cluster) -> None:
    """A node that has not the address that the file says, or has it elsewhere, is not the node that is meant."""
    assert complaints(seed, lb1(seed, links=parse_ip_a(captured("ip_a/seed_backup")))) == [
        ("address", "ens33 does not have 192.168.0.11"),
        ("address", "ens32 does not have 192.168.1.11"),
    ]
    text = captured("ip_a/seed_before").replace("2: ens32", "2: ens3x").replace("3: ens33", "3: ens32")
    text = text.replace("2: ens3x", "2: ens33")
    assert ("address", "192.168.0.11 is on ens32, not on ens33") in complaints(seed, lb1(seed, links=parse_ip_a(text)))


def test_a_peer_behind_a_router_is_told(tmp_path: Path, seed: Cluster) -> None:
    """Its adverts would count for nothing, unless hosts.toml says that they pass a router, or they are multicast."""
    behind = frozenset({"routed:192.168.1.12"})
    (found,) = preflight(seed, lb1(seed, lacks=behind))
    assert (found.check, found.is_error) == ("same-link", True)
    assert found.detail == "reaches lb2 (192.168.1.12) through a router, and adverts that pass one count for nothing"
    assert "vrrp.max_hops = 1" in str(found.fix)
    assert list(preflight(seed, lb1(seed, lacks=frozenset({"routed:192.168.1.99"})))) == []
    for line in ("max_hops = 1", 'mode = "multicast"'):
        meant = cluster(tmp_path, GOOD.replace("router_id", f"{line}\nrouter_id"))
        assert list(preflight(meant, observe(meant, meant.node("lb1"), lacks=behind))) == []


def test_an_altname_is_told_with_the_name_that_counts(seed: Cluster) -> None:
    """`ip a` and ssh know both names, keepalived does not."""
    node = seed.preferred
    named = [
        replace(link, name="eth0", others=("enp3s0f0np0", "ens32")) if link.name == "ens32" else link
        for link in observe(seed, node).links
    ]
    (found,) = [each for each in preflight(seed, observe(seed, node, links=tuple(named))) if each.check == "interface"]
    assert found.detail.startswith("calls ens32, for network management, eth0: the other is an altname")
    assert found.fix == 'set nodes.lb1.interfaces = { management = "eth0" } in hosts.toml'


def test_an_interface_without_ipv6_can_carry_no_vip_of_it(tmp_path: Path) -> None:
    """It is asked of interfaces that are to carry one, and of no others."""
    of = cluster(tmp_path, BIG)
    node = of.node("lb-a")
    lacks = run(str(NodeProbeScript(of, node, []).probes["lacks"])).split()
    assert {each for each in lacks if each.startswith("no-ipv6:")} == {"no-ipv6:bond0.17", "no-ipv6:eth1"}
    seen = observe(of, node, lacks=frozenset({"no-ipv6:bond0.17"}))
    (found,) = preflight(of, seen)
    assert (found.check, found.node) == ("interface", "lb-a")
    assert found.fix == "sysctl -w net/ipv6/conf/bond0.17/disable_ipv6=0, and correct what sets it in /etc/sysctl.d"
    assert list(preflight(of, replace(seen, lacks=frozenset()))) == []


def test_only_vips_of_ipv6_ask_for_it(seed: Cluster) -> None:
    """A pair of IPv4 may have it turned off."""
    assert "no-ipv6" not in run(str(NodeProbeScript(seed, seed.preferred, []).probes["lacks"]))


def test_an_interface_that_is_down_is_told(seed: Cluster) -> None:
    """keepalived would be in FAULT state on a node with a dead interface."""
    down = observe(seed, seed.node("lb2"), links=parse_ip_a(captured("ip_a/bookworm_no_carrier")))
    assert complaints(seed, down) == [
        ("interface", "its interface ens33 is down"),
        ("interface", "its interface ens32 is down"),
    ]


def test_a_vip_is_in_use_only_where_no_node_can_be_the_one_that_answers(seed: Cluster) -> None:
    """A stranger's MAC is told; a node's own is not, nor anybody's when a node that was not asked may be the one."""
    stranger = (Neighbour(ip_address("192.168.0.10"), "02:00:00:00:00:99"),)
    both = [Observation(node, 0.0, {}, neighbours=stranger) for node in seed.nodes]
    assert [each.check for each in foreigners(seed, both)] == ["vip-in-use"] * 2
    assert "02:00:00:00:00:99" in next(foreigners(seed, both)).detail
    assert list(foreigners(seed, both[:1])) == []
    ours = [replace(both[0], links=(Link("ens33", True, (), "02:00:00:00:00:99"),)), both[1]]
    assert list(foreigners(seed, ours)) == []


def test_nobody_answers_for_a_vip_that_one_of_the_nodes_holds(seed: Cluster) -> None:
    """Where a node has the VIPs, its peers see its MAC, or what they saw before it moved."""
    stranger = (Neighbour(ip_address("192.168.0.10"), "02:00:00:00:00:99"),)
    both = [lb1(seed), observe(seed, seed.node("lb2"), neighbours=stranger)]
    assert list(foreigners(seed, both)) == []


@pytest.mark.parametrize(
    ("room", "detail"),
    [
        (Room("/etc/haproxy", 1024, 100), None),
        (Room("/etc/haproxy", 1023, 100), "/etc/haproxy has only 1023 KiB free"),
        (Room("/etc/haproxy", 1024, 99), "/etc/haproxy has only 99 inodes free"),
        (Room("/etc/haproxy", 0, 0), "/etc/haproxy has only 0 KiB free"),
    ],
)
def test_a_full_file_system_is_told_before_anything_is_begun(seed: Cluster, room: Room, detail: str | None) -> None:
    """It is better to find out before than in between; both blocks and inodes can run out."""
    enough = Room("/var/lib/dpkg", 10**6, 10**6)
    found = list(preflight(seed, lb1(seed, room=(enough, room))))
    assert [(each.check, each.detail) for each in found] == ([("disk", detail)] if detail else [])
    assert all("du -xh /etc/haproxy" in (each.fix or "") and "--ignore disk" in (each.fix or "") for each in found)


@pytest.mark.parametrize(
    ("old", "new", "names", "told"),
    [
        ("advert_interval = 1", "advert_interval = 2", ("lb2",), True),
        ("router_id = 101", "router_id = 102", ("lb1",), True),
        ("router_id = 101", "router_id = 102", ("lb1", "lb2"), False),
        ("port = 6443", "port = 6444", ("lb2",), False),
    ],
)
def test_what_peers_must_agree_on_is_not_changed_on_some_only(
    seed: Cluster, tmp_path: Path, old: str, new: str, names: tuple[str, ...], told: bool
) -> None:
    """With --limit the others would hear nobody any more, and take the VIPs."""
    after = cluster(tmp_path, GOOD.replace(old, new))
    before = reader.load(SEED)
    seen = [observe(after, after.node(name), states=as_by(before, name)) for name in names]
    found = list(left_out(after, plans(after, *seen)))
    assert [each.check for each in found] == (["agreement"] if told else [])
    for each in found:
        (other,) = {"lb1", "lb2"} - set(names)
        assert each.detail.endswith(f"and leaves out {other}")
        assert "without --limit" in (each.fix or "")


BARE = {f"service {each}": stopped() for each in ("haproxy", "keepalived")} | {
    f"file {KEEPALIVED_CONF}": FileState("missing")
}


@pytest.mark.parametrize(
    ("old", "new", "has"),
    [
        ("router_id = 101", "router_id = 102", "virtual_router_id 101 instead of 102"),
        ('"192.168.0.10/24"', '"192.168.0.9/24"', "VIPs 192.168.0.10 and 192.168.1.10 instead of 192.168.0.9 and"),
        ("advert_interval = 1", "advert_interval = 2", "advert_int 1 instead of 2"),
        ('network = "management"', 'network = "external"', "unicast_src_ip 192.168.1.11 instead of 192.168.0.11"),
        ("[vrrp]", '[vrrp]\nmode = "multicast"', "unicast_src_ip 192.168.1.11 instead of none; mcast_src_ip none"),
        ("port = 6443", "port = 6444", ""),
    ],
)
def test_a_node_is_not_started_beside_one_that_runs_with_other_settings(
    tmp_path: Path, old: str, new: str, has: str
) -> None:
    """With --limit, or with `rebuild`, that one stays as it is: neither would hear the other."""
    after, before = cluster(tmp_path, GOOD.replace(old, new)), reader.load(SEED)
    holder = observe(after, after.node("lb1"), holds=True, states=as_by(before, "lb1"))
    seen = [holder, observe(after, after.node("lb2"), states=BARE)]
    found = list(unlike_peers(after, plans(after, *seen), seen, {"lb2"}))
    assert [(each.node, each.check) for each in found] == ([("lb2", "agreement")] if has else [])
    for each in found:
        assert each.detail.startswith(f"lb1 runs, is not to be changed, and has {has}")
        assert (each.fix or "").startswith("put that back in hosts.toml as lb1 has it, and run this again; change it")
    assert list(unlike_peers(after, plans(after, *seen), seen, {"lb1", "lb2"})) == []
    halted = [replace(holder, states=holder.states | {"service keepalived": stopped()}), seen[1]]
    assert list(unlike_peers(after, plans(after, *halted), halted, {"lb2"})) == []


def test_a_newcomer_is_not_started_alone_where_nobody_sends_to_it(seed: Cluster, tmp_path: Path) -> None:
    """With --limit its peers would go on without it, and it would hear nobody."""
    third = '[nodes.lb3]\nexternal = "192.168.0.13"\nmanagement = "192.168.1.13"\npriority = 50\n[vrrp]'
    after = cluster(tmp_path, GOOD.replace("[vrrp]", third))
    pair = [observe(after, after.node(name), holds=name == "lb1", states=as_by(seed, name)) for name in ("lb1", "lb2")]
    seen = [*pair, observe(after, after.node("lb3"), states=BARE)]
    found = list(unlike_peers(after, plans(after, *seen), seen, {"lb3"}))
    assert [(each.node, each.check, each.subject) for each in found] == [
        ("lb3", "unheard", "lb1"),
        ("lb3", "unheard", "lb2"),
    ]


@pytest.mark.parametrize(("ids", "told"), [((101, 102), False), ((110, 111), True)])
def test_groups_with_router_ids_of_their_own_do_not_come_to_some_nodes_only(
    tmp_path: Path, ids: tuple[int, int], told: bool
) -> None:
    """The pair's own VIPs would be on two nodes, unless the group that has them keeps its router ID."""
    before = reader.load(SEED)
    named = GROUPS.replace("[vrrp.groups.k8s-api]", "[vrrp.groups.api]").replace('"k8s-api"', '"api"')
    after = cluster(tmp_path, named.replace("= 101", f"= {ids[0]}").replace("= 102", f"= {ids[1]}"))
    seen = observe(after, after.node("lb2"), states=as_by(before, "lb2"))
    assert [each.check for each in left_out(after, plans(after, seen))] == (["agreement"] if told else [])


def test_a_version_that_nobody_offers_is_refused_with_those_that_are_offered(tmp_path: Path) -> None:
    """Before anything is changed; not where a repository is new, nor where apt knows nothing of the package at all."""
    for text, table, refused in (
        ('[packages]\nhaproxy = "9.*"\n', [("2.6", True), ("2.5", False)], ["2.6"]),
        ('[packages]\nhaproxy = "9.*"\n', [], []),
        ('[packages]\nhaproxy = "1.*"\n', [("2.6", True)], []),
        (WITH_SOURCES.replace('key_file = "own.gpg"', ""), [("2.6", True)], []),
    ):
        found = cluster(tmp_path, GOOD + text)
        node = found.preferred
        seen = PackageState(dict.fromkeys(PACKAGES, "1.0"), table={"haproxy": table})
        states = {"packages haproxy, keepalived, socat": seen}
        missing = {each.path for each in apt_files(found, node) if "sources" in each.path}
        plan = diff(desired(found, node), observe(found, node, states=states | _missing(missing)))
        assert [each.detail.rpartition(": ")[2] for each in refused_versions(plan)] == refused


def _missing(paths: set[str]) -> dict[str, object]:
    from lbdeploy.node.resources.file import FileState

    return {f"file {path}": FileState("missing") for path in paths}
