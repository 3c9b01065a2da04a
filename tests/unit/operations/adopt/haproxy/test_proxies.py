"""What of a haproxy.cfg hosts.toml's frontends can do."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lbdeploy.operations.adopt.haproxy.proxies import Proxy, proxies, server_options
from lbdeploy.operations.adopt.reading.haproxy_cfg import parse
from lbdeploy.operations.adopt.reading.sources import HostNames


def only(text: str) -> Proxy:
    (found,) = proxies(parse({"/x.cfg": text}, {}), HostNames())
    return found


def listen(*lines: str) -> Proxy:
    return only("listen a\n bind :6443\n server s 10.0.0.1:6443 check\n " + "\n ".join(lines))


def test_a_frontend_and_its_backend_are_one() -> None:
    """The backend may come from the defaults, or before the frontend."""
    found = only("backend b\n server s 10.0.0.1\ndefaults\n default_backend b\nfrontend f\n bind *:80,10.0.0.9:81-82")
    assert [(each.address, each.port) for each in found.endpoints] == [("*", 80), ("10.0.0.9", 81), ("10.0.0.9", 82)]
    assert [(each.name, str(each.address), each.port) for each in found.servers] == [("s", "10.0.0.1", None)]
    assert found.why == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mode http", "mode http"),
        ("use_backend x if { src 10.0.0.0/8 }", "use_backend"),
        ("tcp-request content reject", "tcp-request"),
        ("bind :443 ssl crt /x.pem", "bind ssl"),
        ("bind :443 accept-proxy", "bind accept-proxy"),
        ("server b api.example.org:6443", "no address"),
        ("server b 10.0.0.2:6443 ssl verify none", "server ssl"),
        ("default_backend none", "is not there"),
    ],
)
def test_what_a_frontend_can_not_do_is_said(line: str, words: str) -> None:
    assert words in listen(line).why


@pytest.mark.parametrize("line", ["bind :443 name x", "errorfile 503 /x", "option tcplog", "balance leastconn"])
def test_what_changes_nothing_for_clients_is_no_obstacle(line: str) -> None:
    assert listen(line).why == ""


def test_sockets_are_no_ports() -> None:
    assert only("listen a\n bind /run/x.sock\n bind unix@y:1\n bind abns@z\n server s 10.0.0.1:1").endpoints == []


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("10.0.0.1:6443", "10.0.0.1", 6443),
        ("ipv4@10.0.0.1:6443", "10.0.0.1", 6443),
        ("[2001:db8::1]:6443", "2001:db8::1", 6443),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("2001:db8::1", "2001:db8::1", None),
        ("fd00::21:6443", "fd00::21", 6443),
        ("ipv6@fd00::1:2:6443", "fd00::1:2", 6443),
    ],
)
def test_servers_may_be_written_in_every_way(text: str, address: str, port: int | None) -> None:
    (server,) = only(f"listen a\n bind :1\n server s {text}").servers
    assert (str(server.address), server.port) == (address, port)


def test_servers_by_name_have_the_address_that_the_node_resolves_it_to() -> None:
    """It is asked for once; a server whose name has none is no server of hosts.toml, and that is said."""
    text = "listen a\n bind :1\n server s api-1.example.org:6443\n server t none.example.org\n server u unix@/run/u"
    names = HostNames()
    assert proxies(parse({"/x.cfg": text}, {}), names)[0].servers == []
    assert names.missing == {"api-1.example.org", "none.example.org"}
    names.add({"api-1.example.org": ip_address("10.0.0.1"), "none.example.org": None})
    (found,) = proxies(parse({"/x.cfg": text}, {}), names)
    (server,) = found.servers
    assert (str(server.address), server.port, server.host) == ("10.0.0.1", 6443, "api-1.example.org")
    assert (names.missing, "some of its servers have no address" in found.why) == (set(), True)


def test_options_are_those_of_default_server_unless_a_server_has_its_own() -> None:
    text = "listen a\n default-server inter 5s check fall 9\n bind :1\n server s 10.0.0.1:1 fall 2 no-check"
    assert only(text).servers[0].options == {"inter": "5s", "fall": "2", "no-check": ""}


def test_a_word_after_an_option_that_takes_one_is_its_value() -> None:
    assert server_options(["check", "port", "80", "weight", "5", "backup"]) == {
        "check": "",
        "port": "80",
        "weight": "5",
        "backup": "",
    }
