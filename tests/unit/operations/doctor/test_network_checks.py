"""What is said of clocks, addresses and VRRP between the nodes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from builders import captured, cluster, links
from checkups import ALL, LB1, LB2, STRANGER, heard, looked, of_node
from goldens import GOOD

from lbdeploy.config.model import Cluster
from lbdeploy.health.finding import Finding
from lbdeploy.node import network_listener
from lbdeploy.node.parsers import Answered
from lbdeploy.operations.doctor import network_checks


def test_clocks_are_judged_by_what_they_break(seed: Cluster) -> None:
    """Seconds are a warning, minutes a problem; two nodes that are off by a little each may be too far apart."""
    assert of_node(seed, looked(seed, ahead=1.9)) == []
    assert of_node(seed, looked(seed, ahead=-3)) == [("clock", True)]
    assert of_node(seed, looked(seed, ahead=3600)) == [("clock", False)]
    apart = [looked(seed, ahead=1.5), looked(seed, "lb2", ahead=-1.5)]
    (found,) = network_checks.problems(seed, apart)
    assert (found.check, found.detail) == ("clock", "the clock of lb1 is 3.0 s ahead of that of lb2")


def together(seed: Cluster, lb1: network_listener.Heard, lb2: network_listener.Heard | None = None) -> list[Finding]:
    return list(
        network_checks.problems(seed, [looked(seed, hears=lb1), looked(seed, "lb2", hears=lb2 or heard("lb2"))])
    )


def test_whoever_answers_for_a_vip_is_named_unless_it_may_be_a_node(seed: Cluster) -> None:
    """A MAC that no node has; where one node was not looked at, it may be that, and is a warning."""
    claim = network_listener.Claim(ip_address("192.168.0.10"), "02:00:00:00:00:99", "ens33")
    (found,) = together(seed, heard(claims=frozenset({claim})), heard("lb2", claims=frozenset({claim})))
    assert (found.node, found.check, found.is_error) == (None, "vip-in-use", True)
    assert "02:00:00:00:00:99" in found.detail
    (found,) = network_checks.problems(seed, [looked(seed, hears=heard(claims=frozenset({claim})))])
    assert (found.check, found.is_error) == ("vip-in-use", False)
    assert "lb2" in found.detail


@pytest.mark.parametrize(
    ("advert", "foreign"),
    [
        (network_listener.Advert(101, STRANGER, "ens32"), True),
        (network_listener.Advert(102, STRANGER, "ens32"), False),
        (network_listener.Advert(101, STRANGER, "ens33"), False),
        (network_listener.Advert(101, ip_address("fe80::1"), "ens32"), False),
        (network_listener.Advert(101, LB2, "ens32"), False),
        (network_listener.Advert(101, ip_address("192.168.0.12"), "ens32"), False),
    ],
)
def test_a_foreign_router_has_the_same_id_on_the_same_network(
    seed: Cluster, advert: network_listener.Advert, foreign: bool
) -> None:
    """Another ID, network or address family is another virtual router; a member's own addresses are ours."""
    found = together(seed, heard(adverts=frozenset({advert})))
    assert [each.check for each in found] == (["vrid-in-use"] if foreign else [])
    assert all("192.168.1.99" in each.detail for each in found)


def test_where_vrrp_stops_tells_whose_firewall_it_is(seed: Cluster) -> None:
    """It came, but did not get through: the receiver's; it could not be sent: the sender's; neither: unknown."""
    (found,) = together(seed, heard(through=frozenset()))
    assert (found.node, found.check) == ("lb1", "firewall")
    assert "its firewall drops VRRP (IP protocol 112) from lb2 (192.168.1.12) to lb1" in found.detail
    gone = network_listener.Heard(done=ALL)
    (found,) = together(seed, gone, heard("lb2", unsent={LB1: "Operation not permitted"}))
    assert (found.node, found.check) == ("lb2", "firewall")
    assert found.detail.endswith("Operation not permitted")
    (found,) = together(seed, gone)
    assert "does not arrive" in found.detail
    assert "in between" in (found.fix or "")


def test_where_nobody_could_listen_nothing_is_claimed(seed: Cluster) -> None:
    """A node whose perl does not run is told, and neither its silence nor its peer's is taken for an answer."""
    found = together(seed, network_listener.Heard())
    assert [(each.check, each.is_warning) for each in found] == [
        ("vip-in-use", True), ("vrid-in-use", True), ("firewall", True), ("firewall", True)
    ]  # fmt: skip
    assert all("from lb1: " in each.detail for each in found)


@pytest.mark.parametrize(
    ("said", "why", "fix"),
    [
        ("ended vrrp 124", "listen-vrrp.pl took too long there", "once the node has less to do"),
        ("ended vrrp 0", "listen-vrrp.pl could open no socket, or found no such interface, there", "perl -MSocket"),
        ("ended vrrp 127", "listen-vrrp.pl did not run there: exit status 127", "perl -e 1"),
        ("", "listen-vrrp.pl did not end there", "perl -e 1"),
    ],
)
def test_why_nobody_could_listen_is_told(seed: Cluster, said: str, why: str, fix: str) -> None:
    """A program that was only late is not said to have failed: a busy node has a perl that works."""
    heard = network_listener.read(f"done hail\ndone who-has\nended hail 0\n{said}\n")
    found = [each for each in together(seed, heard) if each.check == "vrid-in-use"]
    assert [(each.detail, fix in (each.fix or "")) for each in found] == [
        (f"could not be looked at from lb1: {why}", True)
    ]


def test_the_remedy_is_in_the_words_of_the_nodes_firewall(seed: Cluster) -> None:
    """By its rules; test_firewall.py has all kinds."""
    rules = captured("firewall/nft_vrrp_drop")
    pair = [looked(seed, hears=heard(through=frozenset()), firewall=rules), looked(seed, "lb2")]
    (found,) = network_checks.problems(seed, pair)
    assert "nft insert rule inet filter input ip saddr 192.168.1.12 meta l4proto 112 accept" in (found.fix or "")


@pytest.mark.parametrize(("rules", "found"), [("ufw", ["lb1"]), ("nft_default_deny", []), ("nothing", [])])
def test_vrrp_that_gets_in_as_an_answer_only_is_told(seed: Cluster, rules: str, found: list[str]) -> None:
    """Both nodes have sent some, so that a stateful firewall knows the peer; a node that starts has not."""
    pair = [looked(seed, firewall=captured(f"firewall/{rules}")), looked(seed, "lb2")]
    said = list(network_checks.problems(seed, pair))
    assert [each.node for each in said if each.is_warning and "only once it has sent some" in each.detail] == found
    assert len(said) == len(found)


def test_multicast_is_told_what_it_can_not_check(tmp_path: Path, seed: Cluster) -> None:
    """Any host can take the VIPs, unless the firewall lets in the nodes' adverts only; unicast has a list of peers."""
    assert together(seed, heard()) == []
    text = GOOD.replace("router_id", 'mode = "multicast"\nrouter_id')
    group = cluster(tmp_path, text)
    checkups = [looked(group), looked(group, "lb2", hears=heard("lb2"))]
    (found,) = [each for each in network_checks.problems(group, checkups) if each.check == "vrrp-source"]
    assert found.is_warning
    assert found.detail == "any host on network management can take the VIPs: with multicast, adverts of all count"
    walled = cluster(tmp_path, text.replace("[cluster]", '[cluster]\nfirewall = "nftables"'))
    assert [each for each in network_checks.problems(walled, checkups) if each.check == "vrrp-source"] == []


def reached(seed: Cluster, *, holder: bool, other: bool) -> list[Finding]:
    """What is said where lb1 holds the VIPs, and each node gets an answer or not."""
    pair = [looked(seed), looked(seed, "lb2")]
    seen = [
        replace(
            each.observation,
            links=links(seed, each.node, holds=each is pair[0]),
            answered=tuple(Answered(vip.ip, 6443, "16" if well else "") for vip in seed.vips),
        )
        for each, well in zip(pair, (holder, other), strict=True)
    ]
    checkups = [replace(each, observation=now) for each, now in zip(pair, seen, strict=True)]
    return [each for each in network_checks.problems(seed, checkups) if each.check == "vip-reach"]


def test_a_vip_that_answers_on_its_holder_only_is_told_with_who_may_drop_it(seed: Cluster) -> None:
    """A network that gives addresses to machines, as clouds do."""
    first, second = reached(seed, holder=True, other=False)
    assert (first.node, first.subject, second.subject) == ("lb2", "192.168.0.10", "192.168.1.10")
    assert first.detail.startswith("192.168.0.10 answers on lb1, which holds it, and not from here")
    for cause in ("allowed_address_pairs", "forged transmits", "filters of MACs"):
        assert cause in (first.fix or "")


@pytest.mark.parametrize(("holder", "other"), [(True, True), (False, False), (False, True)])
def test_servers_that_are_down_are_no_matter_of_the_network(seed: Cluster, holder: bool, other: bool) -> None:
    assert reached(seed, holder=holder, other=other) == []


def test_a_pair_without_vips_says_nothing_of_them(seed: Cluster) -> None:
    assert [each.check for each in together(seed, heard())] == []
