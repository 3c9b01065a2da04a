"""Frontends of hosts.toml from ports of haproxy.cfg."""

from __future__ import annotations

import tomllib
from typing import Any

import handmade_files as made
from handmade_files import adopt_all, hand_made, links, pair_of, seed_pair, told

from lbdeploy.config import reader, writer
from lbdeploy.operations.adopt.haproxy.kept_sections import FILE
from lbdeploy.operations.adopt.result import Adopted

CA = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
TLS = """\
listen api
    bind 10.20.0.10:6443
    maxconn 500
    option httpchk GET /readyz
    default-server check check-ssl verify required ca-file /etc/ca.pem check-sni kubernetes
    default-server on-marked-down shutdown-sessions
    server a b 10.0.0.1
    server m/1 10.20.0.21:6443 weight 5 send-proxy-v2 slowstart 30s
"""


def adopted(haproxy: str, **files: str) -> Adopted:
    machines = pair_of(made.K3S_KEEPALIVED, haproxy)
    for machine in machines:
        machine.sources["haproxy"].add({path: {path: text} for path, text in files.items()})
    return adopt_all(machines)


def test_what_a_frontend_can_be_told_is_told() -> None:
    """Checks over TLS with their CA, beside hosts.toml, limits, the PROXY protocol; names that hosts.toml takes."""
    found = adopted(
        TLS.replace("    server a b 10.0.0.1\n", ""),
        **{"/etc/ca.pem": f"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n{CA}"},
    )
    frontend: dict[str, Any] = found.draft["frontends"]["api"]
    expected = {
        "check": "https",
        "check_path": "/readyz",
        "check_host": "kubernetes",
        "check_ca_file": "ca/api.pem",
        "when_down": "close",
        "max_connections": 500,
        "slow_start": 30,
        "proxy_protocol": True,
        "servers": {"m-1": {"address": "10.20.0.21", "weight": 5}},
    }
    assert {key: frontend[key] for key in expected} == expected
    assert found.files == {"ca/api.pem": CA}  # and no key that lies in the same file


def test_a_frontend_has_the_networks_that_it_listens_on() -> None:
    machines = seed_pair()
    for machine in machines:
        machine.sources["haproxy"].found["/etc/haproxy/haproxy.cfg"] = {
            "/etc/haproxy/haproxy.cfg": made.SEED_HAPROXY.replace("    bind 192.168.0.10:6443\n", "")
        }
    assert adopt_all(machines).draft["frontends"]["k8s-api"]["networks"] == ["management"]


TWO_CLUSTERS = """\
defaults
    mode tcp
frontend one
    bind 10.20.0.10:6443
    default_backend one
backend one
    server cp1 10.20.0.21:6443 check
frontend two
    bind 10.20.0.77:6443
    default_backend two
backend two
    server cp1 10.20.0.31:6443 check
frontend both
    bind *:443
    default_backend two
"""
SECOND_INSTANCE = """\
vrrp_instance TWO {
    interface eth0
    virtual_router_id 71
    priority PRIORITY
    virtual_ipaddress {
        10.20.0.77/24
    }
}
"""
SECOND_VIP = made.K3S_KEEPALIVED.replace("10.20.0.10/24\n", "10.20.0.10/24\n        10.20.0.77/24\n")


def valid(found: Adopted) -> dict[str, Any]:
    """hosts.toml as it is written, without a mistake."""
    text = writer.text(found.draft)
    assert reader.problems(tomllib.loads(text), dict(found.files)) == []
    return tomllib.loads(text)


def test_two_clusters_on_one_port_have_a_group_each() -> None:
    """Each frontend is open where it was, and no other cluster's servers answer at its VIP."""
    found = adopt_all(pair_of(made.K3S_KEEPALIVED + SECOND_INSTANCE, TWO_CLUSTERS))
    wrote = valid(found)["frontends"]
    assert {name: each.get("groups") for name, each in wrote.items()} == {
        "one": ["haproxy-vip"], "two": ["TWO"], "both": None
    }  # fmt: skip
    assert told(found, "bind 10.20.0.77:6443") == ("kept", "frontends.two.port and its groups")


def test_a_section_that_names_a_vip_has_it_before_one_that_listens_everywhere() -> None:
    haproxy = TWO_CLUSTERS.replace("bind 10.20.0.10:6443", "bind *:6443")
    wrote = valid(adopt_all(pair_of(made.K3S_KEEPALIVED + SECOND_INSTANCE, haproxy)))["frontends"]
    assert (wrote["one"]["groups"], wrote["two"]["groups"]) == (["haproxy-vip"], ["TWO"])


def test_two_clusters_whose_vips_move_together_have_a_network_each() -> None:
    """With the interface and the addresses of the one that they are on."""
    found = adopt_all(pair_of(SECOND_VIP, TWO_CLUSTERS))
    wrote = valid(found)
    assert wrote["networks"] == {
        "external": {"interface": "eth0", "vip": "10.20.0.77/24"},
        "management": {"interface": "eth0", "vip": "10.20.0.10/24"},
    }
    assert {wrote["nodes"]["lb1"][name] for name in wrote["networks"]} == {"10.20.0.11"}
    assert {name: each.get("networks") for name, each in wrote["frontends"].items()} == {
        "one": ["management"], "two": ["external"], "both": None
    }  # fmt: skip
    assert wrote["vrrp"]["network"] == "management"


def test_a_port_is_one_frontend_whatever_nodes_call_it_and_its_servers() -> None:
    """Of two servers with one name and different addresses, none is lost; of one with two names, none comes twice."""
    other = TWO_CLUSTERS.replace("frontend one", "frontend api").replace("cp1 10.20.0.21:", "cp1 10.20.0.22:")
    other = other.replace("cp1 10.20.0.31:", "master 10.20.0.31:")
    found = adopt_all(pair_of(SECOND_VIP, TWO_CLUSTERS, other=other))
    wrote = valid(found)["frontends"]
    assert {name: each["servers"] for name, each in wrote.items()} == {
        "one": {"cp1": "10.20.0.21", "cp1-2": "10.20.0.22"},
        "two": {"cp1": "10.20.0.31"},
        "both": {"cp1": "10.20.0.31:6443"},
    }
    assert told(found, "frontend api", "lb2") == ("kept", "frontends.one")
    assert told(found, "server cp1 10.20.0.22:6443 check", "lb2") == ("kept", "frontends.one.servers.cp1-2")
    assert told(found, "server master 10.20.0.31:6443 check", "lb2") == ("kept", "frontends.two.servers.cp1")


def test_a_vip_on_which_only_another_node_has_a_port_is_told_of() -> None:
    """The preferred node's sections count."""
    here = TWO_CLUSTERS.replace("    bind *:443", "    bind *:443\n    bind 10.20.0.77:80")
    there = here.replace("bind 10.20.0.77:80", "bind 10.20.0.77:80\n    bind 10.20.0.10:80")
    found = adopt_all(pair_of(SECOND_VIP, here, other=there))
    assert valid(found)["frontends"]["both-80"]["networks"] == ["external"]
    assert told(found, "bind 10.20.0.10:80", "lb2") == (
        "changes", "frontends.both, frontends.both-80: the VIPs are those on which lb1 has it"
    )  # fmt: skip


def test_ports_of_the_nodes_own_addresses_are_not_of_the_vips() -> None:
    """They are no frontends: their section is kept as it is."""
    haproxy = made.K3S_HAPROXY + "listen local\n    mode tcp\n    bind 127.0.0.1:7000\n    server s 10.20.0.21:7000\n"
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy))
    assert list(found.draft["frontends"]) == ["k3s-frontend"]
    row = next(each for each in found.rows if each.text == "listen local")
    assert (row.verdict, row.meaning.partition(":")[0]) == ("kept", FILE)


def test_ipv6_has_brackets_where_it_has_a_port() -> None:
    conf = made.K3S_KEEPALIVED.replace("10.20.0.10/24", "2001:db8::10/64")
    haproxy = "listen a\n bind :::6443 v4v6\n server s [2001:db8::21]:7443 check\n server t [2001:db8::22]:6443 check\n"
    nodes = [
        hand_made(f"lb{n}", made.filled(conf, "BACKUP", 100 - n, n, 0), haproxy, links(f"eth0 2001:db8::{n}/64"))
        for n in (1, 2)
    ]
    found = adopt_all(nodes)
    assert found.draft["frontends"]["a"]["servers"] == {"s": "[2001:db8::21]:7443", "t": "2001:db8::22"}
    assert found.draft["nodes"]["lb1"]["lan"] == "2001:db8::1"
