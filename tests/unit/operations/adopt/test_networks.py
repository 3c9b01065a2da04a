"""The networks that VIPs are on."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, hand_made, links

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
