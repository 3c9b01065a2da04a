"""What is read of the firewalls that others wrote."""

from __future__ import annotations

import json
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from builders import CAPTURED, captured
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdeploy.config.model import Address
from lbdeploy.operations.doctor.firewall.firewall import Culprit, opening, remedy, shuts_out
from lbdeploy.operations.doctor.firewall.packet_filter import Packet

CLIENT, HOST, VIP = (ip_address(each) for each in ("10.1.2.3", "192.168.0.254", "192.168.0.10"))
NFT_FIX = "nft insert rule inet filter input tcp dport 6443 accept; and the same in /etc/nftables.conf"
IPTABLES_FIX = "iptables -I INPUT -p tcp --dport 6443 -j ACCEPT; and keep it over a reboot"
UFW_FIX = "ufw allow 6443/tcp; where `ufw status` has a rule that denies it: ufw delete deny 6443 first"


def said(name: str, packet: Packet) -> str | None:
    """What to type where a firewall, as it was captured on Debian 12, shuts a packet out."""
    culprit = shuts_out(captured(f"firewall/{name}").splitlines(), packet)
    return culprit and opening(culprit, packet)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("nothing", None),
        ("nft_ours", None),  # lbdeploy's own table has the ports that it has to
        ("nft_drops_port", NFT_FIX),
        ("nft_default_deny", NFT_FIX),  # with the port for UDP, for one host, on the way out, and as a part of another
        ("nft_last_rule_rejects", NFT_FIX),
        ("nft_jump_to_drop", NFT_FIX),
        ("nft_verdict_map", NFT_FIX),
        ("nft_range", None),
        ("nft_named_set", None),
        ("nft_networks", None),  # who the clients are is not known here
        ("nft_by_family", None),  # IPv6 only
        ("iptables_chain_drops", IPTABLES_FIX),
        ("iptables_last_rejects", IPTABLES_FIX),
        ("iptables_range", None),
        ("iptables_output_drops", None),
        ("iptables_legacy_chain_drops", IPTABLES_FIX),
        ("iptables_legacy_last_rejects", IPTABLES_FIX),
        ("iptables_legacy_range", None),
        ("ufw", UFW_FIX),
        ("ufw_denies", UFW_FIX),
        ("ufw_allows", None),
        ("ufw_off", None),
        ("firewalld", "firewall-cmd --permanent --add-port=6443/tcp; firewall-cmd --reload"),
    ],
)
def test_who_shuts_a_frontends_clients_out(name: str, fix: str | None) -> None:
    """By what the rules do with the first packet of a connection; with what to type, in the words of that firewall."""
    assert said(name, Packet("tcp", VIP, port=6443)) == fix


@pytest.mark.parametrize("name", ["nft_default_deny", "nft_named_set", "iptables_chain_drops", "ufw", "firewalld"])
def test_a_port_that_is_let_in_is_none_that_is_told(name: str) -> None:
    """SSH's, in the same firewalls."""
    port = 80 if name == "nft_named_set" else 22
    assert said(name, Packet("tcp", VIP, port=port)) is None


@pytest.mark.parametrize(
    ("name", "source", "shut"),
    [
        ("nft_default_deny", HOST, False),
        ("nft_default_deny", CLIENT, True),
        ("nft_networks", HOST, False),
        ("nft_networks", CLIENT, False),
        ("nft_networks", ip_address("192.168.0.1"), True),
        ("iptables_last_rejects", HOST, False),
        ("iptables_last_rejects", CLIENT, True),
    ],
)
def test_where_a_frontend_has_clients_of_its_own_they_are_looked_for(name: str, source: Address, shut: bool) -> None:
    """One host may be all that there are, as for metrics."""
    assert (said(name, Packet("tcp", VIP, source, 6443)) is not None) == shut


def test_ipv6_has_rules_of_its_own() -> None:
    """Of ip6tables, and of nft's tables of that family."""
    vip = ip_address("fd00::10")
    assert said("nft_by_family", Packet("tcp", vip, port=6443)) == NFT_FIX.replace("inet", "ip6")
    assert said("iptables_chain_drops", Packet("tcp", vip, port=6443)) is None
    assert said("ufw", Packet("tcp", vip, port=6443)) == UFW_FIX


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("nothing", "let IP protocol 112 through from 192.168.1.12 on ens32, wherever it is filtered"),
        ("nft_vrrp_drop", "nft insert rule inet filter input ip saddr 192.168.1.12 meta l4proto 112 accept"),
        ("nft_last_rule_rejects", "nft insert rule inet filter input ip saddr 192.168.1.12 meta l4proto 112 accept"),
        ("nft_drops_port", "let IP protocol 112 through"),
        ("nft_ours", "let IP protocol 112 through"),
        ("iptables_chain_drops", "iptables -I INPUT -s 192.168.1.12 -p vrrp -j ACCEPT"),
        ("ufw", "add to /etc/ufw/before.rules, above COMMIT: -A ufw-before-input -s 192.168.1.12 -p vrrp -j ACCEPT"),
        ("firewalld", "firewall-cmd --permanent --add-protocol=vrrp; firewall-cmd --reload"),
    ],
)
def test_who_drops_vrrp_is_told_in_its_words(name: str, fix: str) -> None:
    """Of one that does not get in from a peer."""
    advert = Packet("vrrp", ip_address("192.168.1.11"), ip_address("192.168.1.12"))
    assert remedy(captured(f"firewall/{name}").splitlines(), "input", advert, "ens32").startswith(fix)


def test_vrrp_that_can_not_be_sent_is_for_the_chains_of_the_output() -> None:
    """To the group, or a peer; those of IPv6 have programs and files of their own."""
    out = Packet("vrrp", ip_address("224.0.0.18"), ip_address("192.168.1.11"))
    lines = captured("firewall/iptables_output_drops").splitlines()
    assert remedy(lines, "output", out, "ens32").startswith("iptables -I OUTPUT -d 224.0.0.18 -p vrrp -j ACCEPT")
    advert = Packet("vrrp", ip_address("fd00::11"), ip_address("fd00::12"))
    fix = remedy(captured("firewall/ufw").splitlines(), "input", advert, "ens32")
    assert fix.startswith("add to /etc/ufw/before6.rules, above COMMIT: -A ufw6-before-input -s fd00::12 -p vrrp")


CAPTURES = [path.read_text() for path in sorted((CAPTURED / "firewall").glob("*.txt")) if path.stat().st_size < 9000]


@settings(max_examples=300)
@given(st.sampled_from(CAPTURES), st.data())
def test_rules_that_nobody_has_seen_yet_are_no_accident(text: str, data: st.DataObject) -> None:
    """Whatever stands there, and wherever it is cut off, there is an answer: at worst that nothing can be said."""
    at = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.sampled_from(["", "null", "{", '"@x"', "[]", "-A INPUT", "! ", "'", "\n", '{"a": 1}', "7"]))
    cut = data.draw(st.sampled_from([0, 1, 5, 40]))
    lines = (text[:at] + junk + text[at + cut :]).splitlines()
    shuts_out(lines, Packet("tcp", VIP, port=6443))
    remedy(lines, "output", Packet("vrrp", VIP), "ens32")


def _values(depth: int = 3) -> st.SearchStrategy[Any]:
    leaves = st.sampled_from([None, 0, 6443, "@web", "tcp", "lo", "new", "input"])
    keys = ["match", "vmap", "payload", "left", "right", "op", "set", "range", "jump", "accept", "elem", "xt", "key"]
    return st.recursive(
        leaves,
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(keys), each, max_size=3),
        max_leaves=depth * 4,
    )


@given(_values())
def test_an_expression_of_another_version_of_nft_claims_nothing(expression: Any) -> None:
    """It may accept; so the port is not called shut."""
    chain = {"family": "inet", "table": "t", "name": "in", "type": "filter", "hook": "input", "policy": "accept"}
    rule = {"family": "inet", "table": "t", "chain": "in", "expr": [{"match": expression}, {"drop": None}]}
    document = json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]})
    assert shuts_out([document], Packet("tcp", VIP, port=6443)) in (None, Culprit("nft", "inet t in"))


def test_chains_that_jump_in_a_circle_end() -> None:
    """The kernel refuses them, and text may still show them; chains that many jump to are gone through once."""
    lines = ["ip", "-P INPUT DROP", "-N A", "-N B", "-A INPUT -j A", "-A A -j B", "-A B -j A"]
    assert shuts_out(lines, Packet("tcp", VIP, port=6443)) == Culprit("iptables", "INPUT")
    names = [f"C{number}" for number in range(40)]
    many = [f"-N {name}" for name in names]
    many += [f"-A {name} -j {after}" for name, after in pairwise(names) for _ in "12"]
    assert shuts_out(["ip", "-P INPUT DROP", *many, "-A INPUT -j C0"], Packet("tcp", VIP, port=6443))
