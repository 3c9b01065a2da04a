"""The stand-in for a Kubernetes API."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from lbdeploy.lab.machine.apiserver import proxied

HEADER = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (HEADER + b"\x21\x11\0\x0c" + bytes((10, 0, 0, 7, 10, 0, 0, 1)) + b"\x30\x39\x01\xbb", ("10.0.0.7", 12345)),
        (
            HEADER + b"\x21\x21\0\x24" + ip_address("2001:db8::7").packed + bytes(16) + b"\x30\x39\x01\xbb",
            ("2001:db8::7", 12345),
        ),
        (HEADER + b"\x20\0\0\0", None),  # LOCAL: a check of haproxy's own
        (HEADER + b"\x21\x31\0\x04abcd", None),  # through a UNIX socket
        (b"", None),
    ],
)
def test_the_labs_servers_read_proxy_headers(sent: bytes, client: tuple[str, int] | None) -> None:
    """The client that the header names; what follows the header stays to be read."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(sent + b"\x16hello")
        assert proxied(here) == client
        assert here.recv(9) == b"\x16hello"
