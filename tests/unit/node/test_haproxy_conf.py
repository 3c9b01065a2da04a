"""What any haproxy.cfg listens on, and the servers behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.node.haproxy_conf import Bind, listeners

BY_HAND = """\
global
    stats socket /run/haproxy/admin.sock mode 660 level admin
frontend kubernetes-api # the API
    bind *:6443
    bind unix@/run/x.sock
    default_backend apiservers
backend apiservers
    server cp1 10.20.0.21:6443 check
    server cp2 10.20.0.22 check   # at the same port
peers mates
    bind 10.20.0.11:7000
    server me
listen ingress
    bind 10.20.0.10:443,[2001:db8::0010]:443 ssl crt /etc/x.pem
    server w1 w1.example.com:443 check
"""


def test_binds_are_read_with_the_servers_behind_them() -> None:
    """A frontend's servers are those of its backends, and a listen section has its own; peers are no clients."""
    api = frozenset({"10.20.0.21:6443", "10.20.0.22:6443"})
    ingress = frozenset({"w1.example.com:443"})
    assert listeners(BY_HAND) == [
        Bind("kubernetes-api", "*", "6443", api),
        Bind("ingress", "10.20.0.10", "443", ingress),
        Bind("ingress", "2001:db8::10", "443", ingress),
    ]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("10.20.0.21", "10.20.0.21:443"),
        ("ipv4@10.20.0.21:6443", "10.20.0.21:6443"),
        ("w1.example.com", "w1.example.com:443"),
        ("[fd00::21]", "fd00::21:443"),
        ("[fd00::21]:6443", "fd00::21:6443"),
        ("fd00::21:6443", "fd00::21:6443"),
        ("fd00::0021:6443", "fd00::21:6443"),
    ],
)
def test_a_server_is_the_same_in_each_of_its_forms(server: str, expected: str) -> None:
    """The port is what follows the last colon, also of IPv6 without brackets; without one, it is the client's."""
    (found,) = listeners(f"listen x\n  bind :443\n  server s {server} check\n")
    assert found.servers == {expected}


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        (":80", "*", "80"),
        ("0.0.0.0:80", "*", "80"),
        ("[::]:80", "*", "80"),
        (":::80", "*", "80"),
        ("ipv4@10.0.0.1:80", "10.0.0.1", "80"),
        ("${VIP}:80", "${VIP}", "80"),
        ("*:8000-8010", "*", "8000-8010"),
    ],
)
def test_an_address_is_read_in_each_of_its_forms(text: str, address: str, port: str) -> None:
    """However haproxy lets one write it."""
    assert listeners(f"frontend x\n  bind {text}\n") == [Bind("x", address, port, frozenset())]


@pytest.mark.parametrize(
    ("port", "asked", "serves", "meets"),
    [
        ("6443", "6443", True, True),
        ("6443", "06443", True, True),
        ("6440-6450", "6443", True, True),
        ("6443", "6440-6450", False, True),
        ("6440-6450", "6451-6460", False, False),
        ("${PORT}", "${PORT}", True, True),
        ("${PORT}", "6443", False, False),
        ("9" * 5000, "6443", False, False),
    ],
)
def test_a_range_has_all_its_ports(port: str, asked: str, serves: bool, meets: bool) -> None:
    """What serves a range has all of it; to meet, one port in common is enough. haproxy reads 06443 as a decimal."""
    bind = Bind("x", "*", port, frozenset())
    assert (bind.serves("10.0.0.1", asked), bind.meets(asked)) == (serves, meets)


@pytest.mark.parametrize("address", ["*", "${VIP}", "lb.example.com", "10.0.0.1"])
def test_an_address_that_only_the_node_knows_may_be_any(address: str) -> None:
    """As that of a variable, or of a name; so may that of whom is asked for."""
    assert Bind("x", address, "6443", frozenset()).serves("10.0.0.1", "6443")
    assert Bind("x", "10.0.0.1", "6443", frozenset()).serves(address, "6443")
    assert not Bind("x", address, "6443", frozenset()).serves("10.0.0.1", "6444")
    assert Bind("x", address, "6443", frozenset()).serves("10.0.0.2", "6443") == (address != "10.0.0.1")


@given(st.text())
def test_no_text_makes_the_reader_raise(text: str) -> None:
    """A node may have anything there."""
    listeners(text)
    listeners(f"frontend x\nbind {text}\nserver a {text}\n")
