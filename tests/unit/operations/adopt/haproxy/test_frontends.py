"""Frontends of hosts.toml from ports of haproxy.cfg."""

from __future__ import annotations

from typing import Any

import handmade_files as made
from handmade_files import adopt_all, hand_made, links, pair_of, seed_pair, told

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


def test_ports_of_the_nodes_own_addresses_are_not_of_the_vips() -> None:
    """They are no frontends: their section is kept as it is."""
    haproxy = made.K3S_HAPROXY + "listen local\n    mode tcp\n    bind 127.0.0.1:7000\n    server s 10.20.0.21:7000\n"
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy))
    assert list(found.draft["frontends"]) == ["k3s-frontend"]
    row = next(each for each in found.rows if each.text == "listen local")
    assert (row.verdict, row.meaning.partition(":")[0]) == ("kept", FILE)


def test_a_port_that_one_node_serves_as_no_frontend_can_is_left_to_each() -> None:
    """Or that node would have the port twice, or no longer do what it does there."""
    first = made.RKE2_HAPROXY
    second = first.replace("10.20.0.22:6443 check", "10.20.0.22:6443 check send-proxy-v2")
    for haproxy, other in ((first, second), (second, first)):
        found = adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy, other=other))
        assert list(found.draft["frontends"]) == ["rke2-register"]
        assert found.files[FILE].count("frontend k3s-frontend\n") == 2
        assert told(found, "frontend k3s-frontend") == told(found, "frontend k3s-frontend", "lb2")
        assert told(found, "frontend k3s-frontend")[0] == "kept"


def test_ports_that_are_left_to_each_take_those_of_the_same_section_with_them() -> None:
    """What serves another port of it on the other node, too."""
    several = "listen {}\n bind 10.20.0.10:{}\n server s 10.20.0.21:1{}\n"
    first = several.format("a", "1000,10.20.0.10:2000", " check")
    second = several.format("a", "1000", " check send-proxy") + several.format("b", "2000", " check")
    own = made.K3S_HAPROXY
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, own + first, other=own + second))
    assert list(found.draft["frontends"]) == ["k3s-frontend"]
    assert [told(found, "listen a", "lb2")[0], told(found, "listen b", "lb2")[0]] == ["kept", "kept"]


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
