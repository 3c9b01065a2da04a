"""Ports that are in use now, and that a change shuts."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from builders import cluster, observe
from goldens import GOOD

from lbdeploy.config.model import Cluster
from lbdeploy.node import surroundings
from lbdeploy.node.haproxy_conf import Bind
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.surroundings import Port, clients, ports
from lbdeploy.planning.render import render
from lbdeploy.planning.shut_out import by_allow, by_firewall

RULES = """\
table inet x {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        ip saddr 192.168.1.12 ip ttl 255 meta l4proto 112 accept comment "VRRP"
        udp sport 67 udp dport 68 accept
        tcp dport 22 accept comment "SSH"
        tcp dport { 6443, 8000-8100 } accept
    }
}
"""
EXPORTER = Port("tcp", "9100", "node_exporter")


def shut(rules: str, port: Port, before: str = "") -> list[str]:
    return [what for what, _, _ in by_firewall(before, rules, [port])]


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (EXPORTER, ["port 9100"]),
        (Port("udp", "161", "snmpd"), ["UDP port 161"]),
        (Port("udp", "6443", "nginx"), ["UDP port 6443"]),
        (Port("tcp", "22", "sshd"), []),
        (Port("tcp", "8050", "nginx"), []),
        (Port("udp", "68", "dhclient"), []),
        (Port("tcp", "9101", "haproxy"), []),
        (Port("udp", "5355", "systemd-resolve"), []),
    ],
)
def test_a_port_that_no_rule_opens_is_shut(port: Port, said: list[str]) -> None:
    """By protocol and number, also within a set or a range; haproxy's own ports are looked at elsewhere."""
    assert shut(RULES, port) == said


@pytest.mark.parametrize(
    "rule", ["tcp dport @open accept", "jump others", "ip saddr 10.0.0.0/8 accept", "tcp dport node-exporter accept"]
)
def test_what_rules_leave_open_to_doubt_shuts_nothing(rule: str) -> None:
    """A set, another chain, a network, a name."""
    assert shut(RULES.replace("tcp dport 22 accept", rule), EXPORTER) == []


def test_what_was_shut_already_does_not_end() -> None:
    """By the rules that are there now; where there are none, everything is open."""
    assert shut(RULES, EXPORTER, before=RULES) == []
    assert shut(RULES, EXPORTER, before=RULES.replace("dport 22", "dport 9100")) == ["port 9100"]
    assert shut("", EXPORTER, before=RULES) == []


def test_the_rules_that_lbdeploy_writes_open_what_hosts_toml_says(tmp_path: Path) -> None:
    """The frontends' ports, SSH and firewall_allow; nothing else."""
    wanted = cluster(tmp_path, GOOD.replace("[cluster]", '[cluster]\nfirewall = "nftables"\nfirewall_allow = [9100]'))
    rules = render(wanted, wanted.nodes[0], "firewall.nft")
    found = [shut(rules, Port("tcp", number, "x")) for number in ("22", "6443", "9100", "9101")]
    assert found == [[], [], [], ["port 9101"]]


def test_clients_that_are_connected_and_not_allowed_any_more_are_named() -> None:
    """One of them, and how many more; those that never were allowed, and those of other ports, do not count."""
    open_to_all = [Bind("api", "*", "6443", frozenset())]
    allowed = [replace(open_to_all[0], allowed=frozenset({"192.168.1.0/24"}))]
    there = [("6443", ip_address(f"{net}.9")) for net in ("192.168.1", "10.0.0", "10.0.1")]
    ((what, why, fix),) = by_allow(open_to_all, allowed, there)
    assert (what, fix) == ("port 6443 for clients", "add their networks to allow of frontend api")
    assert why == "connected now, and in no network of its allow in hosts.toml: 10.0.0.9 and 1 more"
    assert list(by_allow(allowed, allowed, there)) == []
    assert list(by_allow(open_to_all, open_to_all, there)) == []
    assert list(by_allow(open_to_all, [], there)) == []


def test_who_listens_and_who_is_connected_is_read_from_ss(seed: Cluster) -> None:
    """What only the node itself reaches is left out; IPv4 clients of a socket of IPv6 are IPv4."""
    told = """\
listens tcp LISTEN 0 128 0.0.0.0:9100 0.0.0.0:* users:(("node_exporter",pid=7,fd=3))
listens tcp LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=7,fd=3))
listens tcp LISTEN 0 128 [::1]:25 [::]:* users:(("exim4",pid=8,fd=3))
listens udp UNCONN 0 0 *:161 *:*
listens nonsense
client 6443 192.168.0.9
client 6443 [::ffff:10.0.0.1]
client 6443 [fd00::9]
client 6443 soon
"""
    seen = replace(observe(seed, seed.node("lb1")), marks={surroundings.NAME: Answer(told)})
    assert ports(seen) == [EXPORTER, Port("udp", "161", "something")]
    assert [str(address) for _, address in clients(seen)] == ["192.168.0.9", "10.0.0.1", "fd00::9"]
