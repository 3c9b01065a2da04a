"""hosts.toml: what a good file means, and what is said about every kind of bad one."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, SEED, cluster
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster, Frontend, Network, Node, Server, Ssh, Vip, Vrrp
from lbdeploy.errors import HostsFileError, UsageError
from lbdeploy.planning.desired import files

GOOD = SEED.read_text()

# The same as the seed's file, without comments and with every optional key left out.
SHORT = """\
[cluster]
name = "k8s-api"
[networks.external]
interface = "ens33"
vip = "192.168.0.10/24"
[networks.management]
interface = "ens32"
vip = "192.168.1.10/24"
[nodes.lb1]
external = "192.168.0.11"
management = "192.168.1.11"
priority = 200
[nodes.lb2]
external = "192.168.0.12"
management = "192.168.1.12"
priority = 100
[vrrp]
network = "management"
router_id = 101
[frontends.k8s-api]
port = 6443
[frontends.k8s-api.servers]
master1 = "192.168.1.21"
master2 = "192.168.1.22"
master3 = "192.168.1.23"
"""


def problems(folder: Path, text: str) -> list[str]:
    """Each problem of a file with this text, as `line: key: message; fix`."""
    with pytest.raises(HostsFileError) as caught:
        cluster(folder, text)
    return [line.removeprefix(f"{caught.value.path}:") for line in caught.value.lines()]


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def line_of(part: str, text: str) -> int:
    (line,) = (number for number, line in enumerate(text.splitlines(), 1) if part in line)
    return line


# What good files mean


def test_the_sample_file_is_the_seeds_cluster() -> None:
    """The sample describes exactly the pair, the VIPs and the servers of the procedure."""
    assert reader.load(SEED) == Cluster(
        name="k8s-api",
        path=SEED,
        ssh=Ssh(user="ops"),
        networks={
            "external": Network("external", "ens33", (ip_interface("192.168.0.10/24"),)),
            "management": Network("management", "ens32", (ip_interface("192.168.1.10/24"),)),
        },
        nodes=tuple(
            Node(
                name,
                priority,
                host=f"192.168.1.{last}",
                addresses={
                    "external": ip_address(f"192.168.0.{last}"),
                    "management": ip_address(f"192.168.1.{last}"),
                },
                interfaces={"external": "ens33", "management": "ens32"},
            )
            for name, priority, last in (("lb1", 200, 11), ("lb2", 100, 12))
        ),
        vrrp=Vrrp("management", 101, 1.0, True, 30.0, "auto", 1, 2, 1, 2),
        frontends=(
            Frontend(
                name="k8s-api",
                port=6443,
                balance="roundrobin",
                check="tcp",
                interval=10,
                fast_interval=1,
                rise=3,
                fall=2,
                connect_timeout=5,
                client_timeout=14400,
                server_timeout=14400,
                check_timeout=5,
                servers=tuple(Server(f"master{n}", ip_address(f"192.168.1.2{n}"), 6443) for n in (1, 2, 3)),
            ),
        ),
    )


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


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    """A file that was written on Windows means the same."""
    (tmp_path / "hosts.toml").write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert reader.load(tmp_path / "hosts.toml").frontends == reader.load(SEED).frontends


# What is said about bad ones: the old text, the new text, and the complaint about the line of the new text

BAD = {
    "unknown table": ("[ssh]", "[shh]", "shh: unknown table; did you mean ssh?"),
    "unknown table, nothing near": (
        "[ssh]",
        "[zzz]",
        "zzz: unknown table; known are: cluster, ssh, packages, vrrp, metrics, networks, nodes, frontends",
    ),
    "unknown key": (
        "preempt_delay = 30",
        "preempt_dealy = 30",
        "vrrp.preempt_dealy: unknown key; did you mean preempt_delay?",
    ),
    "unknown key of a node": (
        'external = "192.168.0.11"',
        'external = "192.168.0.11"\nextrenal = "192.168.0.13"',
        "nodes.lb1.extrenal: unknown key; did you mean external?",
    ),
    "a key with a line break": (
        'user = "ops"',
        '"us\\ner" = "ops"',
        'ssh."us\\ner": unknown key; did you mean user?',
    ),
    "text for a number": (
        "port = 6443",
        'port = "6443"',
        "frontends.k8s-api.port: '6443' is not a whole number; write it without quotes and decimals",
    ),
    "fraction for a whole number": (
        "rise = 3",
        "rise = 3.0",
        "frontends.k8s-api.rise: 3.0 is not a whole number; write it without quotes and decimals",
    ),
    "part of a second between checks": (
        "preempt_delay = 30",
        "check_interval = 0.5",
        "vrrp.check_interval: 0.5 is not a whole number; "
        "write 1 or more: keepalived 2.2 counts the seconds of its checks as whole ones",
    ),
    "adverts too often": (
        "advert_interval = 1",
        "advert_interval = 0.05",
        "vrrp.advert_interval: 0.05 is too small; write 0.1 or more",
    ),
    "truth for a number": (
        "rise = 3",
        "rise = true",
        "frontends.k8s-api.rise: true is not a whole number; write it without quotes and decimals",
    ),
    "date for a number": (
        "rise = 3",
        "rise = 2026-01-02",
        "frontends.k8s-api.rise: 2026-01-02 is not a whole number; write it without quotes and decimals",
    ),
    "text for seconds": (
        "interval = 10",
        'interval = "10s"',
        "frontends.k8s-api.interval: '10s' is not a number of seconds; write it without quotes, like 10 or 0.5",
    ),
    "no number of seconds": (
        "interval = 10",
        "interval = nan",
        "frontends.k8s-api.interval: nan is not a number of seconds; write it without quotes, like 10 or 0.5",
    ),
    "seconds beyond haproxy's timers": (
        "interval = 10",
        "interval = 1728001",
        "frontends.k8s-api.interval: 1728001 is too large; write 1728000 or less",
    ),
    "infinite delay": (
        "preempt_delay = 30",
        "preempt_delay = inf",
        "vrrp.preempt_delay: inf is too large; write 1000 or less",
    ),
    "number for truth": (
        "preempt_delay = 30",
        "preempt = 1",
        "vrrp.preempt: 1 is not true or false; write true or false, without quotes",
    ),
    "number for text": ('name = "k8s-api"', "name = 8", "cluster.name: 8 is not text; write it in quotes"),
    "table for text": (
        'name = "k8s-api"',
        "name = { a = 1 }",
        "cluster.name: {'a': 1} is not text; write it in quotes",
    ),
    "number for an address": (
        'external = "192.168.0.11"',
        "external = 19216811",
        'nodes.lb1.external: is not text; write an IP address in quotes, like "192.168.1.21"',
    ),
    "unknown choice": (
        'balance = "roundrobin"',
        'balance = "random"',
        "frontends.k8s-api.balance: 'random' is not known; write 'roundrobin', 'leastconn' or 'source'",
    ),
    "unknown check": (
        'check = "tcp"',
        'check = "http"',
        "frontends.k8s-api.check: 'http' is not known; write 'tcp' or 'https'",
    ),
    "bad address": (
        '"192.168.0.11"',
        '"192.168.0.256"',
        "nodes.lb1.external: '192.168.0.256' is not an IP address; "
        'write an IPv4 or IPv6 address, like "192.168.1.21"',
    ),
    "address with a prefix": (
        '"192.168.0.11"',
        '"192.168.0.11/24"',
        "nodes.lb1.external: '192.168.0.11/24' is not an IP address; "
        'write an IP address without a prefix length, like "192.168.1.21"',
    ),
    "address with a scope": (
        '"192.168.0.11"',
        '"fe80::1%eth0"',
        "nodes.lb1.external: 'fe80::1%eth0' is not an IP address; write an IPv4 or IPv6 address, like \"192.168.1.21\"",
    ),
    "VIP without a prefix": (
        '"192.168.0.10/24"',
        '"192.168.0.10"',
        "networks.external.vip: '192.168.0.10' has no prefix length; "
        'write the address with its prefix length, like "192.168.0.10/24"',
    ),
    "bad VIP": (
        '"192.168.0.10/24"',
        '["192.168.0.10/24", "192.168.0.10/33"]',
        "networks.external.vip: '192.168.0.10/33' is not a VIP; "
        'write the address with its prefix length, like "192.168.0.10/24"',
    ),
    "VIP with a scope": (
        '"192.168.0.10/24"',
        '["192.168.0.10/24", "fe80::1%a b/64"]',
        "networks.external.vip: 'fe80::1%a b/64' is not a VIP; "
        'write the address with its prefix length, like "192.168.0.10/24"',
    ),
    "link-local VIP": (
        '"192.168.0.10/24"',
        '"fe80::10/64"',
        "networks.external.vip: fe80::10 is link-local, and haproxy can't bind to it; give an address of a wider scope",
    ),
    "VIP on the whole internet": (
        '"192.168.0.10/24"',
        '"192.168.0.10/0"',
        "networks.external.vip: 192.168.0.10/0 can't be a VIP; "
        "give a unicast address with the prefix length of its network",
    ),
    "loopback VIP": (
        '"192.168.0.10/24"',
        '"127.0.0.2/32"',
        "networks.external.vip: 127.0.0.2/32 can't be a VIP; "
        "give a unicast address with the prefix length of its network",
    ),
    "VIP that is the network": (
        '"192.168.0.10/24"',
        '"192.168.0.0/24"',
        "networks.external.vip: 192.168.0.0 is the network or broadcast address of 192.168.0.0/24; "
        "give a host's address",
    ),
    "VIP that is the broadcast": (
        '"192.168.0.10/24"',
        '"192.168.0.255/24"',
        "networks.external.vip: 192.168.0.255 is the network or broadcast address of 192.168.0.0/24; "
        "give a host's address",
    ),
    "VIP given twice": (
        '"192.168.1.10/24"',
        '["192.168.1.10/24", "192.168.0.10/24"]',
        "networks.management.vip: VIP 192.168.0.10 is given twice; it is on network external already",
    ),
    "interface name too long": (
        'interface = "ens33"',
        'interface = "a23456789012345x"',
        "networks.external.interface: 'a23456789012345x' is not an interface name; write one like \"ens33\"",
    ),
    "interface name that is an option": (
        'interface = "ens33"',
        'interface = "-h"',
        "networks.external.interface: '-h' is not an interface name; write one like \"ens33\"",
    ),
    "interfaces of an unknown network": (
        "priority = 200",
        'priority = 200\ninterfaces = { extern = "eth0" }',
        "nodes.lb1.interfaces.extern: is not a network; did you mean external?",
    ),
    "bad name": (
        'name = "k8s-api"',
        'name = "k8s api"',
        "cluster.name: 'k8s api' is not a plain name; write one like \"lb-1\"",
    ),
    "bad name of a server": (
        'master2 = "192.168.1.22"',
        '"master 2" = "192.168.1.22"',
        'frontends.k8s-api.servers."master 2": \'master 2\' is not a plain name; write one like "lb-1"',
    ),
    "bad login": (
        'user = "ops"',
        'user = "-oProxyCommand=x"',
        "ssh.user: '-oProxyCommand=x' is not a login name; write one like \"ops\"",
    ),
    "bad jump host": (
        'user = "ops"',
        'jump = "-J"',
        "ssh.jump: '-J' is not a jump host; write one like \"ops@bastion:22\"",
    ),
    "bad path": (
        'user = "ops"',
        'identity_file = "a\\nb"',
        "ssh.identity_file: 'a\\nb' is not a path; write one like \"~/.ssh/id_ed25519\"",
    ),
    "priority too large": (
        "priority = 200",
        "priority = 255",
        "nodes.lb1.priority: 255 is too large; write 254 or less",
    ),
    "priority too small": ("priority = 200", "priority = 0", "nodes.lb1.priority: 0 is too small; write 1 or more"),
    "router_id too large": (
        "router_id = 101",
        "router_id = 256",
        "vrrp.router_id: 256 is too large; write 255 or less",
    ),
    "router_id too small": ("router_id = 101", "router_id = 0", "vrrp.router_id: 0 is too small; write 1 or more"),
    "port too large": (
        "port = 6443",
        "port = 65536",
        "frontends.k8s-api.port: 65536 is too large; write 65535 or less",
    ),
    "port too small": ("port = 6443", "port = 0", "frontends.k8s-api.port: 0 is too small; write 1 or more"),
    "advert interval VRRP can't send": (
        "advert_interval = 1",
        "advert_interval = 0.125",
        "vrrp.advert_interval: has more than two decimals; VRRP counts in hundredths of a second",
    ),
    "advert interval too short": (
        "advert_interval = 1",
        "advert_interval = 0.05",
        "vrrp.advert_interval: 0.05 is too small; write 0.1 or more",
    ),
    "server by name": (
        '"192.168.1.22"',
        '"master2.example.org"',
        "frontends.k8s-api.servers.master2: 'master2.example.org' is not a server; "
        'write "address" or "address:port" with an IP address: names are not resolved',
    ),
    "server with a bad port": (
        '"192.168.1.22"',
        '"192.168.1.22:65536"',
        "frontends.k8s-api.servers.master2: '192.168.1.22:65536' is not a server; "
        'write "address" or "address:port" with an IP address: names are not resolved',
    ),
    "server with half a port": (
        '"192.168.1.22"',
        '"192.168.1.22:6_443"',
        "frontends.k8s-api.servers.master2: '192.168.1.22:6_443' is not a server; "
        'write "address" or "address:port" with an IP address: names are not resolved',
    ),
    "server with a scope": (
        '"192.168.1.22"',
        '"[fe80::1%x y]:80"',
        "frontends.k8s-api.servers.master2: '[fe80::1%x y]:80' is not a server; "
        'write "address" or "address:port" with an IP address: names are not resolved',
    ),
    "server that is no text": (
        '"192.168.1.22"',
        "6443",
        'frontends.k8s-api.servers.master2: is not text; write a server in quotes, like "192.168.1.21:6443"',
    ),
    "server that is a VIP": (
        '"192.168.1.22"',
        '"192.168.0.10:8443"',
        "frontends.k8s-api.servers.master2: 192.168.0.10 is a VIP: connections would go in circles; "
        "give the server's own address",
    ),
    "two servers at one place": (
        '"192.168.1.22"',
        '"192.168.1.21:6443"',
        "frontends.k8s-api.servers.master2: is the same address and port as master1; give each server its own",
    ),
    "address given twice": (
        '"192.168.0.12"',
        '"192.168.0.11"',
        "nodes.lb2.external: 192.168.0.11 is already the address of node lb1; give each node addresses of its own",
    ),
    "address that is a VIP": (
        '"192.168.0.12"',
        '"192.168.0.10"',
        "nodes.lb2.external: 192.168.0.10 is already the VIP of network external; give each node addresses of its own",
    ),
    "address outside its VIP's network": (
        '"192.168.0.12"',
        '"192.168.2.12"',
        "nodes.lb2.external: 192.168.2.12 is not in 192.168.0.0/24, the network of its VIP; "
        "correct the address, or the VIP's prefix length",
    ),
    "priority given twice": (
        "priority = 100",
        "priority = 200",
        "nodes.lb2.priority: 200 is already the priority of lb1; "
        "give each node its own: the highest is the preferred MASTER",
    ),
    "VRRP on an unknown network": (
        'network = "management"',
        'network = "managment"',
        "vrrp.network: 'managment' is not a network of this file; did you mean management?",
    ),
    "array of tables for a table": (
        "[ssh]",
        "[[ssh]]",
        "ssh: is not a table; write NAME = VALUE lines below a [table] header",
    ),
    "node's address is link-local": (
        '"192.168.0.11"',
        '"fe80::11"',
        "nodes.lb1.external: fe80::11 is link-local: it belongs to an interface, which neither SSH nor VRRP is told; "
        "give an address of a wider scope",
    ),
    "node whose name is no name": (
        "[nodes.lb2]",
        '[nodes."lb 2"]',
        'nodes."lb 2": is not a plain name; use letters, digits, dots, hyphens and underscores, '
        "beginning and ending with a letter or digit",
    ),
    "number far too long": (
        "router_id = 101",
        "router_id = " + 5000 * "1",
        "a number is far too long; no number has so many digits",
    ),
    "assignment without a value": (
        "router_id = 101",
        "router_id =",
        "not TOML: invalid value; see https://toml.io",
    ),
    "key given twice": (
        "router_id = 101",
        "router_id = 101\nrouter_id  = 101",
        "not TOML: cannot overwrite a value; see https://toml.io",
    ),
}


@pytest.mark.parametrize(("old", "new", "complaint"), BAD.values(), ids=BAD.keys())
def test_a_problem_is_told_with_its_line_and_remedy(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """One thing that is wrong gives one problem: its line, its key, what is wrong, what would be right."""
    text = changed(old, new)
    line = GOOD[: GOOD.index(old)].count("\n") + 1 + new.count("\n")  # what is wrong is in the last line of `new`
    assert problems(tmp_path, text) == [f"{line}: {complaint}"]


def test_every_problem_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    """One mistake does not hide another, and the problems come in the order of the file."""
    text = changed('name = "k8s-api"', 'name = "k8s api"')
    text = changed('"192.168.0.10/24"', '"192.168.0.10"', text)
    text = changed('external = "192.168.0.11"\n', "", text)
    text = changed("priority = 100", "priority = 200", text)
    text = changed("router_id = 101", 'router_id = "x"', text)
    text = changed('"192.168.1.22"', '"192.168.1.21"', text)
    assert [re.split(": |;", problem)[:3] for problem in problems(tmp_path, text)] == [
        [str(line_of("k8s api", text)), "cluster.name", "'k8s api' is not a plain name"],
        [str(line_of('vip = "192.168.0', text)), "networks.external.vip", "'192.168.0.10' has no prefix length"],
        [str(line_of("[nodes.lb1]", text)), "nodes.lb1", "has no address on network external"],
        [str(line_of("[nodes.lb2]", text) + 3), "nodes.lb2.priority", "200 is already the priority of lb1"],
        [str(line_of("router_id", text)), "vrrp.router_id", "'x' is not a whole number"],
        [str(line_of("master2", text)), "frontends.k8s-api.servers.master2", "is the same address and port as master1"],
    ]


def test_an_empty_file_is_told_what_it_needs(tmp_path: Path) -> None:
    """Each table that a cluster needs is named, with the header to write."""
    assert problems(tmp_path, "# nothing yet\n") == [
        "1: cluster: is missing; add a table [cluster]",
        "1: frontends: is missing; add a table [frontends.NAME]",
        "1: networks: is missing; add a table [networks.NAME]",
        "1: nodes: is missing; add a table [nodes.NAME]",
        "1: vrrp: is missing; add a table [vrrp]",
    ]


def test_empty_tables_are_told_what_they_need(tmp_path: Path) -> None:
    """A table that is there is not called missing, but what it lacks is."""
    text = "[cluster]\n[networks]\n[nodes]\n[vrrp]\n[frontends.api]\nport = 80\nservers = {}\n"
    assert [problem.partition("; ")[0] for problem in problems(tmp_path, text)] == [
        "1: cluster.name: is missing",
        "2: networks: is missing",
        "3: nodes: is missing",
        "4: vrrp.network: is missing",
        "4: vrrp.router_id: is missing",
        "7: frontends.api.servers: is empty",
    ]


def test_tables_that_are_values_are_told_to_be_tables(tmp_path: Path) -> None:
    """A value where a table belongs is one problem, not many."""
    text = 'cluster = 1\nnetworks = 2\nnodes = 0\nvrrp = []\nfrontends = "x"\nssh = false\n'
    found = [re.split(": |;", problem)[:3] for problem in problems(tmp_path, text)]
    tables = ("cluster", "networks", "nodes", "vrrp", "frontends", "ssh")
    assert found == [[str(line), table, "is not a table"] for line, table in enumerate(tables, 1)]


def test_one_node_is_no_pair(tmp_path: Path) -> None:
    """A single node is refused: it would be no highly available load balancer."""
    text = re.sub(r"\[nodes.lb2\][^\[]*", "", SHORT)
    assert problems(tmp_path, text) == ["9: nodes: at least two nodes are needed; add a second [nodes.NAME] table"]


def test_some_network_must_have_a_vip(tmp_path: Path) -> None:
    """A file without any VIP is refused."""
    text = re.sub(r"vip = .*\n", "", SHORT)
    assert problems(tmp_path, text) == ['3: networks: no network has a VIP; add vip = "ADDRESS/PREFIX" to one']


def test_every_node_is_on_every_network(tmp_path: Path) -> None:
    """A node without an address on one of the networks is told which one, at the node's table."""
    text = changed('management = "192.168.1.12"\n', "", SHORT)
    assert problems(tmp_path, text) == [
        '13: nodes.lb2: has no address on network management; add management = "ADDRESS"'
    ]


def test_the_nodes_speak_vrrp_in_one_family(tmp_path: Path) -> None:
    """Nodes whose addresses on the VRRP network are of different families could never hear each other."""
    text = changed('management = "192.168.1.12"', 'management = "fd00::12"', SHORT)
    assert problems(tmp_path, text) == [
        "9: nodes: mix IPv4 and IPv6 on management, where VRRP speaks one; give all nodes one family there"
    ]


@pytest.mark.parametrize(
    ("edits", "own", "other"),
    [
        ({"192.168.0.10/24": "2001:db8::10/64", "192.168.1.10/24": "fd00::10/64"}, 4, 6),
        (
            {
                'management = "192.168.1.11"': 'management = "fd00::11"',
                'management = "192.168.1.12"': 'management = "fd00::12"',
            },
            6,
            4,
        ),
    ],
)
def test_adverts_carry_at_least_one_vip(tmp_path: Path, edits: dict[str, str], own: int, other: int) -> None:
    """VIPs that are all of the family that VRRP does not speak are refused by every keepalived, so they are here."""
    text = SHORT
    for old, new in edits.items():
        text = changed(old, new, text)
    line = text[: text.index('network = "management"')].count("\n") + 1
    assert problems(tmp_path, text) == [
        f"{line}: vrrp.network: has VRRP speak IPv{own}, in which it can't move VIPs that are all IPv{other}; "
        f"name a network on which the nodes have IPv{other} addresses, or add an IPv{own} VIP"
    ]


def test_what_is_wrong_with_a_vip_is_not_said_of_vrrp(tmp_path: Path) -> None:
    """The VIP of the other family may be the one that is mistyped."""
    text = changed("192.168.1.10/24", "192.168.1.300/24", changed("192.168.0.10/24", "2001:db8::10/64", SHORT))
    (problem,) = problems(tmp_path, text)
    assert "networks.management.vip" in problem


def test_a_master_without_preemption_is_none(tmp_path: Path) -> None:
    """keepalived drops nopreempt where the initial state is MASTER: hosts.toml can't have both."""
    text = changed("router_id = 101", 'router_id = 101\npreempt = false\ninitial_state = "MASTER"', SHORT)
    (problem,) = problems(tmp_path, text)
    assert 'vrrp.initial_state: is "MASTER", for which keepalived drops preempt = false; leave it out' in problem


def test_two_frontends_need_two_ports(tmp_path: Path) -> None:
    """Every frontend listens on every VIP, so ports can't be shared."""
    text = SHORT + '[frontends.two]\nport = 6443\nservers = { a = "10.0.0.1" }\n'
    assert problems(tmp_path, text) == [
        "27: frontends.two.port: 6443 is already the port of frontend k8s-api; give each frontend its own port, "
        "or, by the key networks, its own networks"
    ]


def test_two_frontends_may_have_the_same_servers(tmp_path: Path) -> None:
    """A server may stand behind several frontends, at the same port or another."""
    text = SHORT + '[frontends.two]\nport = 443\nservers = { a = "192.168.1.21:6443", b = "192.168.1.21" }\n'
    assert [server.port for server in cluster(tmp_path, text).frontends[1].servers] == [6443, 443]


def test_a_network_can_not_be_called_like_a_key_of_a_node(tmp_path: Path) -> None:
    """A node's key would be both the address on that network and something else."""
    text = SHORT.replace("external", "host")
    assert "3: networks.host: is a name that a node uses for something else; choose another name" in problems(
        tmp_path, text
    )


def test_lines_are_found_however_a_table_is_written(tmp_path: Path) -> None:
    """Dotted keys, inline tables, quoted keys and arrays over several lines have their lines, too."""
    text = (
        'cluster.name = "a b"\n'
        "nodes.lb1.priority = 300\n"
        'nodes."lb2" = { priority = 0, a = "10.0.0.1" }\n'
        'networks = { a = { vip = [\n"10.0.0.9/24",\n"10.0.9/24"], interface = "e th" } }\n'
    )
    with pytest.raises(HostsFileError) as caught:
        cluster(tmp_path, text)
    found = {problem.key: problem.line for problem in caught.value.problems}
    lines = {"cluster.name": 1, "nodes.lb1.priority": 2, "nodes.lb2.priority": 3}
    assert found | lines | {"networks.a.vip": 4, "networks.a.interface": 6} == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[cluster\n", "1: not TOML: expected ']' at the end of a table declaration"),
        ("[cluster]\nname = 'x'\n\nname\n", "4: not TOML: expected '=' after a key in a key/value pair"),
        ('[cluster]\nname = """\n\n', "4: not TOML: unterminated string"),
        ("x = " + 2000 * "[", "1: is nested too deeply"),
        ("x" + 5000 * ".a" + " = 1", "1: is nested too deeply"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    """A syntax error ends the reading, and its line is told."""
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)


def test_a_missing_file_is_told_how_to_name_one(tmp_path: Path) -> None:
    """Without a file, the error names the path and the ways to give another."""
    with pytest.raises(UsageError) as caught:
        reader.load(tmp_path / "none.toml")
    assert not isinstance(caught.value, HostsFileError)
    assert str(tmp_path / "none.toml") in caught.value.message
    assert "-f FILE" in (caught.value.fix or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("make", "told", "fix"),
    [
        (lambda path: path.write_bytes(b"\xff\xfe[\x00"), "is no text in UTF-8: see its byte 1", "save it as UTF-8"),
        (lambda path: path.write_bytes(b'[cluster]\nname = "\xe4"\n'), "see its byte 19", "save it as UTF-8"),
        (lambda path: path.mkdir(), "hosts.toml is a folder", "hosts.toml/hosts.toml"),
        (lambda path: path.symlink_to(path), "hosts.toml can't be read: Too many levels of symbolic links", "ls -l "),
    ],
)
def test_a_file_that_is_no_text_is_told_to_be_unreadable(
    tmp_path: Path, make: Callable[[Path], object], told: str, fix: str
) -> None:
    """A file that is not UTF-8, a folder, a link to itself: what it is, and what to do."""
    make(tmp_path / "hosts.toml")
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        reader.load(tmp_path / "hosts.toml")
    assert caught.value.exit_code == 2
    assert fix in (caught.value.fix or "")


def test_a_byte_order_mark_is_told_as_such(tmp_path: Path) -> None:
    """Editors of Windows write one, and nobody sees it."""
    (tmp_path / "hosts.toml").write_text(SEED.read_text(encoding="utf-8"), encoding="utf-8-sig")
    with pytest.raises(HostsFileError) as caught:
        reader.load(tmp_path / "hosts.toml")
    assert [(each.line, each.fix) for each in caught.value.problems] == [(1, "save the file as UTF-8 without one")]
    assert "byte order mark" in caught.value.problems[0].message


# What can never happen, whatever the file says

NASTY = [
    '"',
    "'",
    "\n",
    "\r",
    ";",
    "$(reboot)",
    "`id`",
    "{{ 7 }}",
    "%}",
    "{% x",
    " ",
    "#",
    "!",
    "é",
    "\uff05",
    "\x00",
    "|",
    "%",
    "/",
    "-",
    "\\",
    "\u2028",
    "&",
    ">",
    "fe80::1%x\nserver evil",
    "eth0 dev lo",
    "..",
    "}",
]


def items(data: Any) -> list[tuple[Any, Any]]:
    return list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ())


def strings(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every string value."""
    inner = [found for key, value in items(data) for found in strings(value, (*path, key))]
    return [path] if isinstance(data, str) else inner


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return reader.load(write(tmp_path_factory.mktemp("before"), DATA))


def families(cluster: Cluster) -> list[int]:
    return [vip.ip.version for vip in cluster.vips]


# Every interface has a name of its own, so that a changed one becomes no other's twin.
DATA = tomllib.loads(BIG.replace('quiet = "eth1" }', 'quiet = "eth9" }'))
FIELDS = strings(DATA)


def toml(data: Any) -> str:
    """A value as TOML: strings with every odd character escaped."""
    if isinstance(data, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(value)}" for key, value in data.items()) + " }"
    if isinstance(data, list):
        return "[" + ", ".join(map(toml, data)) + "]"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in data) + '"'
    return str(data)


def replaced(data: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    pairs = [(key, replaced(value, path[1:], new) if key == path[0] else value) for key, value in items(data)]
    return dict(pairs) if isinstance(data, dict) else [value for _, value in pairs]


def write(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "hosts.toml"
    path.write_text("".join(f"{toml(key)} = {toml(value)}\n" for key, value in data.items()), encoding="utf-8")
    return path


def structure(cluster: Cluster) -> list[list[int]]:
    """Of each rendered file the number of words in each line."""
    return [
        [len(line.split()) for line in file.content.split("\n")] for n in cluster.nodes for file in files(cluster, n)
    ]


text = st.builds(
    lambda before, nasty, after: before + nasty + after,
    st.sampled_from(["", "ops", "eth0", "10.0.0.1", "fd00::1", "fe80::1%", "10.0.0.0/", "[fd00::1]:"])
    | st.text(max_size=5),
    st.sampled_from(NASTY) | st.text(max_size=5),
    st.sampled_from(["", "x", "/24", ":80", "]:80"]) | st.text(max_size=5),
)


@given(st.sampled_from(FIELDS), text)
@example(("frontends", "api", "servers", "m1"), "fe80::1%\n    server evil 10.0.0.1:1")
@example(("nodes", "lb-a", "front"), "fe80::1%$(reboot)")
@example(("networks", "back", "vip"), "fe80::1%x dev lo/64")
@example(("networks", "front", "interface"), "eth0\n")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_can_become_a_directive(tmp_path: Path, before: Cluster, field: tuple[str, ...], value: str) -> None:
    """Any text in any field is refused, or renders to files with as many lines and words as before."""
    try:
        found = reader.load(write(tmp_path, replaced(DATA, field, value)))
    except (HostsFileError, UsageError):
        return
    # A VIP of the other family moves between two lists of keepalived's; no other value changes the structure.
    assert families(found) != families(before) or structure(found) == structure(before)
    assert not re.search(r"[^\x20-\x7e\n]", "".join(file.content for n in found.nodes for file in files(found, n)))


@given(text, st.sampled_from(["networks", "nodes", "frontends"]))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_can_become_a_directive(tmp_path: Path, before: Cluster, name: str, section: str) -> None:
    """Any text as a table's name is refused, or renders to files with as many lines and words as before."""
    old = next(iter(DATA[section]))
    data = {**DATA, section: {name if key == old else key: value for key, value in DATA[section].items()}}
    try:
        found = reader.load(write(tmp_path, data))
    except (HostsFileError, UsageError):
        return
    assert structure(found) == structure(before)


leaf = st.booleans() | st.integers() | st.floats() | text | st.dates() | st.datetimes() | st.times()
values = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value, tables included."""
    inner = [found for key, value in items(data) for found in paths(value, (*path, key))]
    return [path, *inner] if path else inner


@given(st.sampled_from(paths(DATA)), values)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_anywhere_is_read_or_refused(tmp_path: Path, path: tuple[str, ...], value: Any) -> None:
    """A value of any type in any place gives a cluster, or problems that each name a line of the file."""
    file = write(tmp_path, replaced(DATA, path, value))
    error = refusal(file)
    lines = file.read_text().count("\n") + 1
    assert error is None or error.problems
    for problem in error.problems if error else ():
        assert 1 <= problem.line <= lines
        assert problem.message
    assert not error or all("\n" not in line for line in error.lines())


def refusal(file: Path) -> HostsFileError | None:
    try:
        reader.load(file)
    except HostsFileError as error:
        return error
    return None


pieces = st.sampled_from([*BIG.splitlines(keepends=True), '"', "[", "]", "{", "}", "=", "'''", '"""', "\n", "[[", "."])


@given(st.lists(pieces | st.text(max_size=8), max_size=30).map("".join) | st.text())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file, nothing but a usage error comes of it."""
    (tmp_path / "hosts.toml").write_text(content, encoding="utf-8", newline="")
    with pytest.raises(UsageError):
        reader.load(tmp_path / "hosts.toml")


def test_reading_the_file_imports_only_what_it_needs() -> None:
    """Pydantic looks for plugins with importlib.metadata, which costs 15 ms, unless the command line says no."""
    program = (
        "import sys; from lbdeploy.common import startup; startup.lean = True; import lbdeploy.planning.lint.lint;"
        "import lbdeploy.config.reader; print(*({'importlib.metadata', 'email', 'zipfile'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert out.strip() == ""
