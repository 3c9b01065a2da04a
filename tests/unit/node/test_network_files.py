"""Which lines of the network's configuration give a node an address."""

from __future__ import annotations

import pytest

from lbdeploy.node.network_files import gives
from lbdeploy.node.surroundings import FileLine

NETPLAN, NETWORKD = "/etc/netplan/a.yaml", "/etc/systemd/network/a.network"
MANAGER, IFUPDOWN = "/etc/NetworkManager/system-connections/a.nmconnection", "/etc/network/interfaces.d/a"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (NETPLAN, "- 192.168.0.10/24"),
        (NETPLAN, '- "192.168.0.10/24":'),
        (NETPLAN, "addresses: [192.168.0.11/24,192.168.0.10/24]"),
        (NETPLAN, "addresses: ['192.168.0.10/24']"),
        (NETPLAN, "192.168.0.10/24]"),
        (NETWORKD, "Address=192.168.0.10/24"),
        (NETWORKD, "Address = 192.168.0.10"),
        (f"{NETWORKD}.d/b.conf", "Address=192.168.0.10/24"),
        (MANAGER, "address1=192.168.0.10/24,192.168.0.1"),
        (MANAGER, "addresses=192.168.0.11/24;192.168.0.10/24;"),
        (IFUPDOWN, "address 192.168.0.10"),
        (IFUPDOWN, "address\t192.168.0.10/24"),
        (IFUPDOWN, "up ip addr add 192.168.0.10/24 dev eth0"),
        (IFUPDOWN, "post-up /sbin/ip -4 a add 192.168.0.10/24 dev eth0 || true"),
        (IFUPDOWN, "up ifconfig eth0:0 192.168.0.10 netmask 255.255.255.0"),
        ("interfaces.d/a", "address 192.168.0.10"),
    ],
)
def test_an_address_is_found(file: str, line: str) -> None:
    """As each of them writes it."""
    assert gives(FileLine(file, "7", line), "192.168.0.10")
    assert not gives(FileLine(file, "7", line), "192.168.0.1")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (NETPLAN, "- 192.168.0.10"),
        (NETPLAN, "- to: 192.168.0.10/32"),
        (NETPLAN, "via: 192.168.0.10"),
        (NETPLAN, "gateway4: 192.168.0.10"),
        (NETPLAN, "nameservers: {addresses: [192.168.0.10]}"),
        (NETPLAN, "routes: [{to: 192.168.0.10/32, via: 192.168.0.1}]"),
        (NETWORKD, "Gateway=192.168.0.10"),
        (NETWORKD, "DNS=192.168.0.10"),
        (NETWORKD, "Destination=192.168.0.10/32"),
        (MANAGER, "address1=192.168.0.11/24,192.168.0.10"),
        (MANAGER, "dns=192.168.0.10;"),
        (MANAGER, "route1=192.168.0.10/32,192.168.0.1"),
        (IFUPDOWN, "up ip route add 10.0.0.0/8 via 192.168.0.10"),
        (IFUPDOWN, "up ip route add 192.168.0.10/32 dev eth1"),
        (IFUPDOWN, "gateway 192.168.0.10"),
        (IFUPDOWN, "dns-nameservers 192.168.0.10"),
        (IFUPDOWN, "down ip addr del 192.168.0.10/24 dev eth0"),
    ],
)
def test_what_only_names_one_does_not_give_it(file: str, line: str) -> None:
    """Gateways, name servers and the targets of routes."""
    assert not gives(FileLine(file, "7", line), "192.168.0.10")
