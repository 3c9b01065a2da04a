"""What somebody meant who wrote more than an address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lbdeploy.config.mistakes.addresses import meant, remedy


@pytest.mark.parametrize(
    ("text", "ip", "prefix", "port"),
    [
        (" 192.168.0.10 ", "192.168.0.10", "", ""),
        ("010.001.000.000", "10.1.0.0", "", ""),
        ("https://[fd00::1]:6443/", "fd00::1", "", "6443"),
        ("[fd00::1]/64", "fd00::1", "64", ""),
        ("10.0.0.1/24:80", "10.0.0.1", "24", "80"),
        ("fd00::1:6443", "fd00::1:6443", "", ""),
    ],
)
def test_an_address_is_read_out_of_what_is_around_it(text: str, ip: str, prefix: str, port: str) -> None:
    found = meant(text)
    assert found
    assert (found.ip, found.prefix, found.port) == (ip_address(ip), prefix, port)


@pytest.mark.parametrize(
    "text", ["", "lb1", "10.0.0", "10.0.0.256", "10.0.0.1/33", "fe80::1%eth0", "10.0.0.1 10.0.0.2"]
)
def test_what_is_not_certain_is_not_guessed(text: str) -> None:
    assert meant(text) is None


@pytest.mark.parametrize(
    ("kind", "text", "fix"),
    [
        ("address", "10.0.0.0/8", 'write an IP address without a prefix length, like "192.168.1.21"'),
        ("vip", "fd00::10", 'write the address with its prefix length, like "fd00::10/64"'),
        ("server", "https://[fd00::1]:6443", 'write "[fd00::1]:6443", with nothing else around it'),
        ("server", "10.0.0.1:0", "write the port as a number from 1 to 65535"),
        (
            "server",
            "api.example.org:6443",
            'write "address" or "address:port" with an IP address: names are not resolved',
        ),
    ],
)
def test_the_remedy_is_what_to_write(kind: str, text: str, fix: str) -> None:
    assert remedy(kind, text) == fix
