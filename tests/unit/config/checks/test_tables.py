"""One mistake hides no other, and is told once."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from anywhere import DATA, paths, replaced
from goldens import GOOD
from hosts_toml import problems

from lbdeploy.config import reader
from lbdeploy.config.mistakes.typos import distinct

FRONTEND = "frontends.k8s-api"
TWO: dict[str, tuple[dict[str, str], list[str]]] = {
    "a number of VRRP's, and its network": (
        {"router_id = 101": "router_id = 300", 'network = "management"': 'network = "managment"'},
        ["vrrp.network", "vrrp.router_id"],
    ),
    "an unknown key of VRRP's, and its network": (
        {"advert_interval = 1": "advert_intervall = 1", 'network = "management"': 'network = "nowhere"'},
        ["vrrp.network", "vrrp.advert_intervall"],
    ),
    "a node's priority, and its address": (
        {"priority = 200": "priority = 300", '"192.168.0.11"': '"10.9.9.9"'},
        ["nodes.lb1.external", "nodes.lb1.priority"],
    ),
    "a node's host, and its address": (
        {"priority = 200": 'priority = 200\nhost = "a b"', '"192.168.0.11"': '"192.168.0.12"'},
        ["nodes.lb1.host", "nodes.lb2.external"],
    ),
    "an unknown key of a node, and its priority": (
        {"priority = 200": "priority = 100\ncolour = 1"},
        ["nodes.lb1.colour", "nodes.lb2.priority"],
    ),
    "a node's address, and another one's": (
        {'"192.168.0.11"': '"192.168.0"', '"192.168.1.12"': '"192.168.1.11"'},
        ["nodes.lb1.external", "nodes.lb2.management"],
    ),
    "an interface, and a VIP that is there twice": (
        {'"ens33"': '"ens 33"', '"192.168.1.10/24"': '"192.168.0.10/24"'},
        ["networks.external.interface", "networks.management.vip"],
    ),
    "an interval, and a server that is a VIP": (
        {"interval = 10": 'interval = "10s"', '"192.168.1.21"': '"192.168.1.10"'},
        [f"{FRONTEND}.interval", f"{FRONTEND}.servers.master1"],
    ),
    "an interval, and the networks": (
        {"interval = 10": 'interval = "10s"\nnetworks = "nix"'},
        [f"{FRONTEND}.interval", f"{FRONTEND}.networks"],
    ),
    "an interval, and a path without a use": (
        {"interval = 10": 'interval = "10s"\ncheck_path = "/x"'},
        [f"{FRONTEND}.interval", f"{FRONTEND}.check_path"],
    ),
    "an interval, and another frontend on the port": (
        {"interval = 10": 'interval = "10s"', "[frontends.k8s-api]": '[frontends.b]\nport = 6443\n'
         'servers = { m = "192.168.1.30" }\n[frontends.k8s-api]'},
        [f"{FRONTEND}.port", f"{FRONTEND}.interval"],
    ),
    "a server, and another one that is there twice": (
        {'"192.168.1.21"': '"x"', '"192.168.1.23"': '"192.168.1.22"'},
        [f"{FRONTEND}.servers.master1", f"{FRONTEND}.servers.master3"],
    ),
    "a port, and servers at the same place": (
        {"port = 6443": 'port = "6443"', '"192.168.1.22"': '"192.168.1.21"'},
        [f"{FRONTEND}.port", f"{FRONTEND}.servers.master2"],
    ),
    "the cluster's name, and ports without a firewall": (
        {'name = "k8s-api"': 'name = "k8s api"\nfirewall_allow = [80]'},
        ["cluster.name", "cluster.firewall_allow"],
    ),
    "a node's name, and its priority": (
        {"[nodes.lb1]": '[nodes."lb 1"]', "priority = 200": "priority = 300"},
        ['nodes."lb 1"', 'nodes."lb 1".priority'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "keys"), TWO.values(), ids=TWO.keys())
def test_two_mistakes_are_told_at_once(tmp_path: Path, changes: dict[str, str], keys: list[str]) -> None:
    """A key that is wrong hides nothing of what else is said of its table."""
    text = GOOD
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    assert [each.split(": ")[1] for each in problems(tmp_path, text)] == keys


# Almost every rule between tables would be broken, if a key of it had its default.
FULL = """\
cluster = { name = "c", firewall = "nftables", firewall_allow = [80] }
metrics = { network = "external", port = 10647 }
haproxy = { peers_port = 7000, status_port = 7001 }
packages.repositories.own = { uri = "http://apt.example.org/debian", suite = "stable", components = ["main"] }
[networks.external]
interface = "ens33"
vip = ["192.168.0.10/24", "192.168.0.9/24"]
[networks.management]
interface = "ens32"
vip = "192.168.1.10/24"
[networks.third]
interface = "ens32"
[nodes.lb1]
external = "192.168.0.11"
management = "192.168.1.11"
third = "192.168.1.11"
priority = 200
[nodes.lb2]
external = "192.168.0.12"
management = "192.168.1.12"
third = "192.168.1.12"
priority = 100
interfaces = { external = "ens3", third = "ens31", management = "ens31" }
[nodes.lb3]
external = "192.168.0.13"
management = "192.168.1.13"
third = "192.168.1.13"
priority = 50
interfaces = { third = "ens31", management = "ens31" }
[vrrp]
network = "management"
preempt = true
initial_state = "MASTER"
[vrrp.groups.a]
router_id = 1
vips = "192.168.0.10"
priorities = { lb2 = 250 }
[vrrp.groups.b]
router_id = 2
vips = ["192.168.1.10", "192.168.0.9"]
[frontends.a]
port = 6443
groups = "a"
networks = "external"
check = "https"
check_path = "/healthz"
check_status = [401, 200]
servers = { m1 = "192.168.1.21", m2 = { address = "192.168.1.22", backup = true } }
[frontends.b]
port = 6443
groups = ["b"]
check = "https"
check_host = "kubernetes"
servers = { m1 = { address = "192.168.1.21:6443", weight = 0 }, m2 = { address = "192.168.1.21:8443", weight = 2 } }
[frontends.c]
port = 10646
servers = { m1 = "192.168.1.23" }
[frontends.d]
port = 80
networks = ["management"]
groups = ["a", "b"]
servers = { m1 = "192.168.1.23" }
"""


def found(data: dict[str, Any]) -> list[str]:
    return [f"{each.key}: {each.message}" for each in distinct(reader.problems(data), data)]


@pytest.mark.parametrize("data", [DATA, tomllib.loads(FULL)], ids=["big", "full"])
def test_a_malformed_value_is_one_problem_wherever_it_is(data: dict[str, Any]) -> None:
    """Nothing is told that only follows from it."""
    assert found(data) == []
    malformed = {path: replaced(data, path, date(2026, 1, 2)) for path in paths(data)}
    told = {path: each for path, changed in malformed.items() if len(each := found(changed)) != 1}
    assert told == {}


def test_an_unknown_key_is_one_problem_wherever_it_is() -> None:
    """It may stand for any key that is not there, of which nothing is told."""
    data = tomllib.loads(FULL)
    tables = [path for path in paths(data) if isinstance(value(data, path), dict)]
    tables = [path for path in tables if path[-1] not in ("networks", "nodes", "frontends", "servers", "groups")]
    tables.remove(("packages", "repositories"))
    unknown = {path: replaced(data, path, {**value(data, path), "colour": "blue"}) for path in tables}
    told = {path: each for path, changed in unknown.items() if len(each := found(changed)) != 1}
    assert told == {}


def value(data: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("firewall = ", "fire_wall = "),
        ('check = "https"\ncheck_host', 'chek = "https"\ncheck_host'),
        ('vip = "192.168.1.10/24"', 'vipp = "192.168.1.10/24"'),
        ('groups = "a"', 'group = "a"'),
        ('networks = "external"', 'network = "external"'),
        ("status_port = ", "statusport = "),
        ("weight = 2", "wait = 2"),
        ('third = "ens31", management = "ens31" }\n[nodes.lb3]', 'thrid = "ens31" }\n[nodes.lb3]'),
    ],
)
def test_a_misspelt_key_is_one_problem(old: str, new: str) -> None:
    """What its default would break is not told."""
    assert FULL.count(old) == 1
    (_,) = found(tomllib.loads(FULL.replace(old, new)))


@pytest.mark.parametrize("section", ["cluster", "networks", "nodes", "vrrp", "frontends"])
@pytest.mark.parametrize("written", [None, {}, 5])
def test_a_section_that_is_missing_is_told_once(section: str, written: object) -> None:
    """Nothing is told of what refers to it; and an empty table of named ones is as good as none."""
    data: dict[str, Any] = tomllib.loads(GOOD)
    data = (
        {key: each for key, each in data.items() if key != section} if written is None else {**data, section: written}
    )
    told = found(data)
    assert {each.partition(":")[0].partition(".")[0] for each in told} == {section}
    assert len(told) == 1 or written == {}


def test_a_misspelt_key_of_a_node_is_told_without_networks_too() -> None:
    """It is like no network's name, but like a key of a node."""
    data: dict[str, Any] = tomllib.loads(GOOD.replace("priority = 100", "prioritty = 100"))
    assert found({**data, "networks": {}}) == ["networks: is missing", "nodes.lb2.prioritty: unknown key"]
