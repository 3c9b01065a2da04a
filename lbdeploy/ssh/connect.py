"""The TCP connection to a node's sshd: the first step of a login, and one that needs no SSH library imported yet."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import time
from contextlib import suppress
from typing import Any

from lbdeploy.config.model import Node
from lbdeploy.errors import ConnectError
from lbdeploy.ssh.config import Target, environment

CHANNEL_TIMEOUT = "Timeout opening channel."  # paramiko's, of a jump host that does not get through to the next host
SEARCH = 2.5  # seconds; the kernel asks for a neighbour for three (arp(7): mcast_solicit and retrans_time)
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def dial(node: Node, target: Target) -> socket.socket:
    """A connection to the target, or to its first jump host. Raises ConnectError, also on a timeout."""
    first = (*target.jumps, target)[0]
    try:
        return _through(first.proxy_command) if first.proxy_command else _tcp(first)
    except OSError as error:
        raise unreachable(node, first, error) from None


def _tcp(hop: Target) -> socket.socket:
    """Connect to the first of its addresses that accepts. Raises the OSError of the last one."""
    family = FAMILIES.get(hop.source.family, socket.AF_UNSPEC)
    # As bytes, ASCII is looked up as it is; for text, Python imports tables of Unicode's names first: 1.5 ms.
    host = hop.host.encode() if hop.host.isascii() else hop.host
    *others, last = socket.getaddrinfo(host, hop.port, family, socket.SOCK_STREAM)
    for each in others:
        with suppress(OSError):
            return _reached(hop, each[0], each[4])
    return _reached(hop, last[0], last[4])


def _reached(hop: Target, family: int, address: tuple[Any, ...]) -> socket.socket:
    """Connect. That no host is there may be the end of a search from before its cable was back: it comes too soon."""
    began = time.monotonic()
    try:
        return _connected(hop, family, address)
    except OSError as error:
        if error.errno != errno.EHOSTUNREACH or time.monotonic() - began > SEARCH:
            raise
    return _connected(hop, family, address)


def _connected(hop: Target, family: int, address: tuple[Any, ...]) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(hop.connect_timeout)
        if hop.source.interface:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, hop.source.interface.encode())
        if hop.source.address:
            connection.bind(socket.getaddrinfo(hop.source.address, 0, family, socket.SOCK_STREAM)[0][4])
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    # paramiko never sets it; without it, small packets wait for delayed acknowledgements: 80 ms of a login.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _through(command: str) -> socket.socket:
    """A ProxyCommand's input and output, as OpenSSH starts it. It ends when the connection is closed."""
    here, there = socket.socketpair()
    shell = os.environ.get("SHELL", "/bin/sh")
    with there:
        # Its stderr is discarded: it would garble the progress display. The error says how to see it.
        null, end = subprocess.DEVNULL, there.fileno()
        argv = [shell, "-c", f"exec {command}"]
        subprocess.Popen(argv, stdin=end, stdout=end, stderr=null, env=environment(), start_new_session=True)
    return here


def unreachable(node: Node, hop: Target, error: Exception) -> ConnectError:
    """The error for a hop on the way to a node that can't be reached, or does not speak SSH."""
    way = f" through its ProxyCommand ({hop.proxy_command})" if hop.proxy_command else ""
    return ConnectError(
        f"{where(hop)} can't be reached{way}: {_reason(error)}",
        node=node.name,
        state="nothing was changed on it",
        fix=f"see whether it runs, and try: {hop.by_hand.login()}",
    )


def where(hop: Target) -> str:
    """A host as people write it: with its port, where that is not 22."""
    return hop.host if hop.port == 22 else f"{hop.host} port {hop.port}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) or str(error) == CHANNEL_TIMEOUT:
        return "no answer"
    if reason := getattr(error, "text", ""):  # a ChannelException: the host before it could not connect
        return f"the host before it says: {reason}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
