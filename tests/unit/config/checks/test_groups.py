"""Groups of VIPs in hosts.toml: what must hold between them, and what comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import GOOD, GROUPS

from lbdeploy.errors import HostsFileError


def told(folder: Path, text: str) -> list[str]:
    """The problems of a file: key and message of each."""
    with pytest.raises(HostsFileError) as caught:
        cluster(folder, text)
    return [f"{each.key}: {each.message}" for each in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("router_id = 102", "router_id = 101", "vrrp.groups.ingress_2.router_id: 101 is already the router_id of"),
        ("advert_interval = 1", "router_id = 7", "vrrp.router_id: is of no use: each group has its own"),
        ('"192.168.0.9", "2001', '"192.168.0.8", "2001', "vrrp.groups.ingress_2.vips: 192.168.0.8 is not a VIP of any"),
        ('vips = ["192.168.0.9", "2001:db8::9"]', 'vips = ["192.168.0.9"]', "networks.external.vip: 2001:db8::9 is in"),
        ('["192.168.0.9", "2001', '["192.168.0.10", "192.168.0.9", "2001', "192.168.0.10 is already a VIP of k8s-api"),
        ('["192.168.0.9", "2001:db8::9"]', '["2001:db8::9"]', "vips: has no IPv4 VIP, and VRRP speaks IPv4 between"),
        ("lb2 = 200 }", "lb3 = 200 }", "priorities.lb3: 'lb3' is not a node of this file"),
        ("lb1 = 100, lb2 = 200 }", "lb2 = 200 }", "priorities: lb2 has priority 200 in this group, as lb1 has"),
        ("[vrrp.groups.ingress_2]", "[vrrp.groups.K8S_API]", "would have the VRRP instance of k8s-api: VI_K8S_API"),
        ('groups = "ingress_2"', 'groups = "ingres"', "frontends.ingress.groups: 'ingres' is not a group of this file"),
        (
            'groups = "ingress_2"',
            'groups = "ingress_2"\nnetworks = "management"',
            "groups: have no VIP on its networks",
        ),
        ("preempt_delay = 30", 'notify_master = "a.sh"', "vrrp.notify_master: is told of a node's one state"),
        ("port = 443\n", "port = 6443\nnetworks = 'external'\n", ""),
    ],
)
def test_a_mistake_in_groups_is_found(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """With the key that has it; two frontends of one port are none on the VIPs of different groups."""
    assert old in GROUPS
    if not problem:
        assert cluster(tmp_path, GROUPS.replace(old, new)).vrrp.groups
        return
    assert any(problem in each for each in told(tmp_path, GROUPS.replace(old, new)))


def test_frontends_of_one_port_need_vips_of_their_own(tmp_path: Path) -> None:
    """Where one of them listens on all VIPs, they collide."""
    text = GROUPS.replace("port = 443\n", "port = 6443\n").replace('groups = "k8s-api"\n', "")
    assert told(tmp_path, text) == ["frontends.k8s-api.port: 6443 is already the port of frontend ingress"]


def test_one_router_id_or_groups(tmp_path: Path) -> None:
    """A file without groups needs one, as ever."""
    assert told(tmp_path, GOOD.replace("router_id = 101\n", "")) == ["vrrp.router_id: is missing"]


def test_a_part_is_a_cluster_with_the_vips_and_priorities_of_its_group(tmp_path: Path) -> None:
    """A file without groups has one part: itself."""
    whole = cluster(tmp_path, GROUPS)
    api, ingress = whole.parts
    assert [str(vip.ip) for vip in api.vips] == ["192.168.0.10", "192.168.1.10"]
    assert [str(vip.ip) for vip in ingress.vips] == ["192.168.0.9", "2001:db8::9"]
    assert [part.preferred.name for part in whole.parts] == ["lb1", "lb2"]
    assert [(part.vrrp.router_id, part.vrrp.preempt_delay) for part in whole.parts] == [(101, 30), (102, 5)]
    assert [part.instance for part in whole.parts] == ["VI_K8S_API", "VI_INGRESS_2"]
    assert ingress.parts == (ingress,)
    assert [vip.group for vip in whole.vips] == ["k8s-api", "ingress_2", "ingress_2", "k8s-api"]
    alone = cluster(tmp_path, GOOD)
    assert alone.parts == (alone,)


def test_a_frontend_listens_on_the_vips_of_its_groups(tmp_path: Path) -> None:
    """Of those on its networks, where it names some."""
    whole = cluster(tmp_path, GROUPS)
    found = {each.name: [str(vip.ip) for vip in whole.vips_of(each)] for each in whole.frontends}
    assert found == {"ingress": ["192.168.0.9", "2001:db8::9"], "k8s-api": ["192.168.0.10", "192.168.1.10"]}
