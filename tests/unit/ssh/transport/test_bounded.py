"""What a host sends before anybody knows who it is takes neither this machine's time nor its memory."""

from __future__ import annotations

import inspect
import os
import socket
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from paramiko import Transport

from lbdeploy.errors import ConnectError
from lbdeploy.ssh.transport.bounded import Bounded, ReadAhead

GREETING = b"SSH-2.0-OpenSSH_9.2\r\n"


def floods(greeting: bytes, then: bytes) -> Callable[[socket.socket], None]:
    """Greets, and then repeats the same without end."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting)
        while True:
            connection.sendall(then)

    return serve


def drips(connection: socket.socket) -> None:
    """A line of greeting at a time, none of which is SSH's."""
    while True:
        connection.sendall(b"welcome\r\n")
        time.sleep(0.05)


def says_nothing(connection: socket.socket) -> None:
    connection.recv(1 << 20)
    time.sleep(30)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (floods(b"", b"x" * 65536), "text without end"),
        (floods(b"", b"x\n" * 100), "protocol version"),
        (floods(GREETING, struct.pack(">I", (1 << 30) + 4) + b"x" * 65536), "a packet of"),
        (floods(GREETING, os.urandom(1 << 16)), ""),
        (drips, ""),
        (says_nothing, ""),
    ],
)
def test_a_host_that_is_no_ssh_server_is_left(tmp_path: Path, serve: Callable[[socket.socket], None], why: str) -> None:
    """The error names the host."""
    began = time.monotonic()
    tracemalloc.start()
    with hostile.listening(serve) as port, pytest.raises(ConnectError, match="can't be reached") as raised:
        hostile.logged_in(tmp_path, port, [])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert raised.value.node == "lb1"
    assert f"127.0.0.1 port {port}" in raised.value.message
    assert why in raised.value.message
    assert time.monotonic() - began < 15
    assert peak < 16 << 20


def test_what_has_come_is_read_at_once() -> None:
    """And handed on in the parts that are asked for; then the next is waited for, as long as the socket's timeout."""
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0.05)
        reader = ReadAhead(here)
        there.sendall(b"0123456789")
        assert reader.recv(4) == b"0123"
        there.sendall(b"abc")
        assert (reader.recv(4), reader.recv(4)) == (b"4567", b"89")
        assert (reader.recv(2), reader.recv(9)) == (b"ab", b"c")
        with pytest.raises(TimeoutError):
            reader.recv(1)
        there.sendall(b"last")
        there.close()
        assert (reader.recv(1), reader.recv(9), reader.recv(9)) == (b"l", b"ast", b"")
        reader.close()
        assert here.fileno() == -1


def test_what_a_host_says_for_debugging_is_dropped() -> None:
    """paramiko calls this method for it, not its table of handlers."""
    assert Bounded._parse_debug is not Transport._parse_debug
    assert "_parse_debug(m)" in inspect.getsource(Transport.run)
