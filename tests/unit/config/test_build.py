"""What the settings of hosts.toml make of a cluster, and what is taken where they are left out."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
from builders import BIG, SEED, cluster
from hosts_toml import SHORT, changed

from lbdeploy.config import reader
from lbdeploy.config.model import Frontend, Server, Ssh, Vip, Vrrp


def test_what_is_left_out_has_the_seeds_values(tmp_path: Path) -> None:
    """A file without its optional keys means the same as one that spells them out."""
    short, full = cluster(tmp_path, SHORT), reader.load(SEED)
    assert (short.vrrp, short.frontends, short.nodes, short.networks) == (
        full.vrrp,
        full.frontends,
        full.nodes,
        full.networks,
    )
    assert short.ssh == Ssh(user=None, port=None, connect_timeout=None)


def test_every_setting_can_be_given(tmp_path: Path) -> None:
    """Any number of nodes, networks, VIPs of both families, frontends and servers, and no default is left."""
    found = cluster(tmp_path, BIG)
    assert found.ssh == Ssh(
        "root",
        2222,
        tmp_path / "keys/id",
        Path("/etc/lbdeploy/known_hosts"),
        "ops@bastion.example.org:22",
        3.0,
    )
    assert found.vips == (
        Vip(ip_interface("203.0.113.10/24"), "front"),
        Vip(ip_interface("2001:db8:17::10/64"), "front"),
        Vip(ip_interface("fd00:1::10/64"), "back"),
    )
    assert found.vrrp == Vrrp("back", 7, 0.25, False, 0.0, "auto", 2, 3, 4, 5)
    assert found.frontends[0] == Frontend(
        "api",
        6443,
        "leastconn",
        "https",
        2.5,
        0.5,
        1,
        1,
        0.25,
        86400,
        172800,
        1.5,
        (
            Server("m1", ip_address("10.0.0.1"), 6443),
            Server("m2", ip_address("10.0.0.2"), 7443),
            Server("m3", ip_address("fd00::3"), 6443),
            Server("m4", ip_address("fd00::4"), 6443),
        ),
    )
    assert [(frontend.name, frontend.port, frontend.balance) for frontend in found.frontends] == [
        ("api", 6443, "leastconn"),
        ("ingress", 443, "source"),
    ]


def test_nodes_stand_in_order_of_priority(tmp_path: Path) -> None:
    """The node of the highest priority is the preferred one, wherever it stands in the file."""
    found = cluster(tmp_path, BIG)
    assert [node.name for node in found.nodes] == ["lb-b", "lb-a", "lb-c"]
    assert found.preferred.name == "lb-b"
    assert [node.name for node in found.peers(found.preferred)] == ["lb-a", "lb-c"]


def test_ssh_connects_on_the_vrrp_network_unless_told_otherwise(tmp_path: Path) -> None:
    """A node's `host` takes the place of its address on the VRRP network."""
    hosts_by_name = {node.name: node.host for node in cluster(tmp_path, BIG).nodes}
    assert hosts_by_name == {"lb-a": "lb-a.example.org", "lb-b": "fd00:1::12", "lb-c": "fd00:1::13"}


def test_a_node_may_name_its_interfaces_differently(tmp_path: Path) -> None:
    """A node's own interface names take the place of the networks', network by network."""
    found = cluster(tmp_path, BIG)
    assert found.node("lb-b").interfaces == {"front": "enp1s0", "back": "eth1", "quiet": "eth1"}
    assert found.node("lb-a").interfaces == {"front": "bond0.17", "back": "eth1", "quiet": "eth2"}


def test_paths_are_relative_to_the_file_and_may_be_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path of [ssh] is read from the folder of hosts.toml, and ~ is the operator's home."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir("/")
    ssh = cluster(tmp_path, SHORT + '[ssh]\nidentity_file = "~/.ssh/my key"\nknown_hosts_file = "../known"\n').ssh
    assert (ssh.identity_file, ssh.known_hosts_file) == (Path("/home/me/.ssh/my key"), tmp_path / "../known")


def test_a_relative_path_to_the_file_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster knows where its file lies, however it was named."""
    (tmp_path / "hosts.toml").write_text(SHORT)
    monkeypatch.chdir(tmp_path)
    assert reader.load(Path("hosts.toml")).path == tmp_path / "hosts.toml"


@pytest.mark.parametrize("vip", ['"192.168.0.10/32"', '["192.168.0.10/32", "fd00:5::1/128"]'])
def test_a_vip_may_be_a_host_route_of_its_own(tmp_path: Path, vip: str) -> None:
    """A VIP of full prefix length says nothing about the network that the nodes' addresses are in."""
    assert cluster(tmp_path, changed('"192.168.0.10/24"', vip)).vips[0].ip == ip_address("192.168.0.10")


def test_a_network_needs_no_vip_where_another_has_one(tmp_path: Path) -> None:
    """VRRP may travel on a network that has no VIP."""
    found = cluster(tmp_path, changed('vip = "192.168.1.10/24"\n', "", SHORT))
    assert [str(vip.address) for vip in found.vips] == ["192.168.0.10/24"]
