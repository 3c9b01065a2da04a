"""The connections of a session, where sshd opens few channels on each."""

from __future__ import annotations

from typing import Any

import pytest
from paramiko import ChannelException

from lbdeploy.ssh.transport import connections
from lbdeploy.ssh.transport.connections import Connections


class Sshd:
    """A connection on which `free` channels can be opened; it is its own transport."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.closed = False

    @property
    def transport(self) -> Sshd:
        return self

    def open_session(self, timeout: float) -> str:
        if not self.free:
            raise ChannelException(2, "Connect failed")
        self.free -= 1
        return "channel"

    def close(self) -> None:
        self.closed = True


def used(*free: int) -> tuple[Connections, list[Sshd]]:
    made = [Sshd(each) for each in free]
    rest: Any = iter(made[1:])
    first: Any = made[0]
    return Connections(first, lambda: next(rest)), made


def test_a_channel_that_the_connection_does_not_take_goes_over_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """MaxSessions 1: one connection a channel; what runs over the earlier ones goes on until all are closed."""
    monkeypatch.setattr(connections, "chain", lambda each: [each])
    session, made = used(1, 1, 1)
    assert [session.channel(1) for _ in range(3)] == ["channel"] * 3
    assert session.current is made[2]
    session.close()
    assert [each.closed for each in made] == [True] * 3


def test_a_sshd_that_opens_no_channel_at_all_is_not_asked_for_ever() -> None:
    """MaxSessions 0: a second connection is no better, and that is the end."""
    session, _ = used(0, 0, 1)
    with pytest.raises(ChannelException):
        session.channel(1)
