"""Looking at the lab from inside, as its operator does."""

from __future__ import annotations

import socket
from pathlib import Path

from lbdeploy.lab.host.netns import inside


def ssh_answers(namespace: Path, address: str, port: int, timeout: float = 0.5) -> bool:
    """Whether an SSH server answers connections from that namespace with its banner."""

    def greeting() -> bytes:
        with socket.create_connection((address, port), timeout) as connection:
            return connection.recv(4)

    try:
        return inside(namespace, greeting) == b"SSH-"
    except OSError:
        return False
