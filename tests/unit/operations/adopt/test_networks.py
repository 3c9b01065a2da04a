"""The networks that VIPs are on."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, hand_made, links, told

from lbdeploy.config import reader
from lbdeploy.errors import RemoteError
from lbdeploy.operations.adopt.result import Adopted

VIPS = "10.20.0.10/24"


def networks(
    vips: str, *addresses: str, conf: str = made.K3S_KEEPALIVED
) -> tuple[dict[str, object], dict[str, object]]:
    """[networks], and the table of lb1; `addresses` have the node's number as N."""
    text = conf.replace(VIPS, vips)
    nodes = [
        hand_made(
            f"lb{n}",
            made.filled(text, "BACKUP", 100 - n, n, 0),
            made.K3S_HAPROXY,
            links(*(each.replace("N", str(n)) for each in addresses)),
        )
        for n in (1, 2)
    ]
    draft = adopt_all(nodes).draft
    return draft["networks"], draft["nodes"]["lb1"]


def test_vips_of_an_interface_with_two_subnets_are_on_two_networks() -> None:
    found, node = networks("10.20.0.10/24\n10.30.0.10/24", "eth0 10.20.0.N/24", "eth0 10.30.0.N/24")
    assert {name: each["vip"] for name, each in found.items()} == {  # type: ignore[index]
        "external": "10.30.0.10/24",
        "management": "10.20.0.10/24",
    }
    assert (node["external"], node["management"]) == ("10.30.0.1", "10.20.0.1")


def test_a_holders_vips_are_not_its_own_addresses() -> None:
    """Though they come first on the interface."""
    _, node = networks("10.20.0.10/24", "eth0 10.20.0.10/24", "eth0 10.20.0.N/24")
    assert node["lan"] == "10.20.0.1"


def test_a_vip_without_prefix_length_is_on_the_network_of_its_interface() -> None:
    found, _ = networks("10.20.0.10", "eth0 10.20.0.N/24")
    assert found == {"lan": {"interface": "eth0", "vip": "10.20.0.10/32"}}


def test_both_families_of_an_interface_are_one_network() -> None:
    found, _ = networks("10.20.0.10/24\n2001:db8::10/64", "eth0 10.20.0.N/24", "eth0 2001:db8::N/64")
    assert found == {"lan": {"interface": "eth0", "vip": ["10.20.0.10/24", "2001:db8::10/64"]}}


@pytest.mark.parametrize("interface", ["eth1", "br-lan"])
def test_a_vip_on_another_interface_is_on_a_network_of_its_own(interface: str) -> None:
    found, _ = networks(
        f"10.20.0.10/24\n10.40.0.10/24 dev {interface}", "eth0 10.20.0.N/24", f"{interface} 10.40.0.N/24"
    )
    assert found["external"] == {"interface": interface, "vip": "10.40.0.10/24"}


UNICAST = """\
GLOBAL
vrrp_instance A {
    virtual_router_id 51
    priority PRIORITY
    UNICAST
    virtual_ipaddress {
        10.20.0.10/24DEV
    }
}
"""


def without_interface(how: str, dev: str = "", of_all: str = "", interface: str = "ens3") -> dict[str, object]:
    """[networks] of a pair by unicast whose instance names no interface, as keepalived allows."""
    conf = UNICAST.replace("UNICAST", how).replace("DEV", dev).replace("GLOBAL", of_all)
    nodes = [
        hand_made(
            f"lb{n}",
            made.filled(conf, "BACKUP", 100 - n, n, 3 - n),
            made.K3S_HAPROXY,
            links("ens9 10.99.0.1/24", f"{interface} 10.20.0.{n}/24"),
        )
        for n in (1, 2)
    ]
    draft: dict[str, object] = adopt_all(nodes).draft["networks"]
    return draft


BY_SOURCE = "unicast_src_ip 10.20.0.OWN\n    unicast_peer {\n        10.20.0.PEER\n    }"
BY_PEER = "unicast_peer {\n        10.20.0.PEER\n    }"
ROUTED = "unicast_peer {\n        10.77.0.PEER\n    }"
DEFAULT = "global_defs {\n    default_interface ens3\n}"


@pytest.mark.parametrize(
    ("how", "dev", "of_all", "interface"),
    [
        (BY_SOURCE, " dev ens3", "", "ens3"),
        (BY_SOURCE, "", DEFAULT, "ens3"),
        (BY_PEER, " dev ens3", "", "ens3"),
        (ROUTED, "", DEFAULT, "ens3"),
        (ROUTED, " dev ens3", "", "ens3"),
        (BY_SOURCE, "", "", "eth0"),
    ],
    ids=["source", "source, default for VIPs", "peer", "default", "of the VIP", "keepalived's own default"],
)
def test_with_unicast_an_instance_may_name_no_interface(how: str, dev: str, of_all: str, interface: str) -> None:
    """keepalived.conf(5), `interface`: it can be omitted, and VIPs without dev are on the default interface."""
    assert without_interface(how, dev, of_all, interface) == {"lan": {"interface": interface, "vip": "10.20.0.10/24"}}


@pytest.mark.parametrize(
    ("how", "words", "fix"),
    [
        (BY_SOURCE, "VIP 10.20.0.10/24 is on no interface that is named", "10.20.0.10/24 dev INTERFACE"),
        (ROUTED, "vrrp_instance A names no interface", "interface INTERFACE"),
    ],
)
def test_an_interface_that_nothing_says_is_asked_for(how: str, words: str, fix: str) -> None:
    with pytest.raises(RemoteError) as caught:
        without_interface(how)
    assert (caught.value.node, words in caught.value.message, fix in (caught.value.fix or "")) == ("lb1", True, True)


IPV6 = made.K3S_KEEPALIVED.replace(VIPS, "fe80::10/64\n        2001:db8::10/64")


def pair6(conf: str) -> Adopted:
    nodes = [
        hand_made(
            f"lb{n}",
            made.filled(conf, "BACKUP", 100 - n, n, 3 - n),
            made.K3S_HAPROXY.replace("10.20.0.", "2001:db8::"),
            links(f"eth0 fe80::{n}/64", f"eth0 2001:db8::{n}/64"),
        )
        for n in (1, 2)
    ]
    return adopt_all(nodes)


def test_the_link_local_vip_that_keepalived_wants_first_is_left_out() -> None:
    """hosts.toml can't have it, and its line says so."""
    found = pair6(IPV6)
    assert found.draft["networks"] == {"lan": {"interface": "eth0", "vip": "2001:db8::10/64"}}
    assert reader.problems(found.draft, dict(found.files)) == []
    assert told(found, "fe80::10/64") == (
        "ends",
        "link-local: haproxy can't bind to it. keepalived may want such a VIP first, and works without",
    )
    assert told(found, "2001:db8::10/64")[0] == "kept"


def test_an_instance_with_a_link_local_vip_alone_has_none() -> None:
    second = "vrrp_instance B {\n interface eth0\n virtual_router_id 9\n virtual_ipaddress {\n fe80::11/64\n }\n}\n"
    found = pair6(IPV6 + second)
    assert "groups" not in found.draft["vrrp"]
    for line in ("vrrp_instance B {", "virtual_router_id 9"):
        assert told(found, line) == ("ends", "vrrp_instance B has no VIP that hosts.toml can have")


def test_adverts_between_link_local_addresses_go_between_the_nodes_own() -> None:
    """hosts.toml has an address of each node that SSH and VRRP can be told."""
    unicast = "    unicast_src_ip fe80::OWN\n    unicast_peer {\n        fe80::PEER\n    }\n    virtual_ipaddress"
    found = pair6(IPV6.replace("    virtual_ipaddress", unicast))
    assert found.draft["nodes"]["lb1"]["lan"] == "2001:db8::1"
    assert reader.problems(found.draft, dict(found.files)) == []
    assert told(found, "unicast_src_ip fe80::1") == ("changes", "nodes.lb1.lan = 2001:db8::1")
    assert told(found, "fe80::2") == ("changes", "nodes.lb2.lan = 2001:db8::2")
