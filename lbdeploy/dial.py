"""The TCP connection to a node's sshd: the first thing of a login, and it needs no SSH library to be imported yet."""

from __future__ import annotations

import socket

from lbdeploy.errors import ConnectError
from lbdeploy.model import Node
from lbdeploy.sshconfig import Target


def dial(node: Node, target: Target, timeout: float) -> socket.socket:
    """A connection to the target, within `timeout` seconds. Raises ConnectError."""
    try:
        connection = socket.create_connection((target.host, target.port), timeout)
    except OSError as error:
        raise unreachable(node, target, error) from None
    # paramiko never asks for it, and its small packets wait for delayed acknowledgements: 80 ms of a login.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def unreachable(node: Node, hop: Target, error: Exception) -> ConnectError:
    """The error for a hop on the way to a node that can't be reached, or does not speak SSH."""
    return ConnectError(
        f"{where(hop)} can't be reached: {_reason(error)}",
        node=node.name,
        state="nothing was changed on it",
        fix=f"see whether it runs, and try: ssh -p {hop.port} {hop.user}@{hop.host} true",
    )


def where(hop: Target) -> str:
    """A host as people write it: with its port, where that is not SSH's own."""
    return hop.host if hop.port == 22 else f"{hop.host} port {hop.port}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
