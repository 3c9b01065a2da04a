"""The connections of a session: one, or as many as it takes where sshd opens few channels on each (MaxSessions)."""

from __future__ import annotations

from collections.abc import Callable

from fabric import Connection
from paramiko import Channel, ChannelException

from lbdeploy.ssh.transport.login import chain


class Connections:
    """`current` is the connection for what comes; those before it are kept for what still runs over them."""

    def __init__(self, first: Connection, another: Callable[[], Connection]) -> None:
        self.current = first
        self._another = another
        self._full: list[Connection] = []

    def channel(self, timeout: float) -> Channel:
        """A channel for one command. Raises ChannelException where sshd opens none on a new connection either.

        Under `MaxSessions 1`, the lock of a run would be all that a connection is good for.
        """
        try:
            return self.current.transport.open_session(timeout=timeout)
        except ChannelException:
            more = self._another()
        self._full.append(self.current)
        self.current = more
        return more.transport.open_session(timeout=timeout)

    def close(self) -> None:
        """End all of them, without waiting for the node."""
        for each in (*self._full, self.current):
            for connection in chain(each):
                connection.close()
