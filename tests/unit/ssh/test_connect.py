"""From where a connection is made."""

from __future__ import annotations

import errno
import socket
from dataclasses import replace

import pytest
from sshkeys import NODE, target

from lbdeploy.errors import ConnectError
from lbdeploy.ssh import connect
from lbdeploy.ssh.config import LocalEndpoint
from lbdeploy.ssh.connect import dial


def test_a_connection_comes_from_where_it_is_told_to() -> None:
    """BindAddress, BindInterface and AddressFamily; what has no such address is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        hop = target(port=server.getsockname()[1], host="localhost", source=LocalEndpoint("inet", "127.0.0.2", "lo"))
        with dial(NODE, hop):
            connection, peer = server.accept()
            connection.close()
            assert peer[0] == "127.0.0.2"
        for source in (LocalEndpoint("inet6"), LocalEndpoint(address="192.0.2.77"), LocalEndpoint(interface="no-such")):
            with pytest.raises(ConnectError, match="can't be reached"):
                dial(NODE, replace(hop, source=source))


@pytest.mark.parametrize(
    ("number", "seconds", "tries"),
    [(errno.EHOSTUNREACH, 0.3, 2), (errno.EHOSTUNREACH, 3.1, 1), (errno.ECONNREFUSED, 0.3, 1)],
)
def test_a_host_that_is_not_there_is_looked_for_once_more_where_it_was_hardly_looked_for(
    monkeypatch: pytest.MonkeyPatch, number: int, seconds: float, tries: int
) -> None:
    """A search that began while the cable was out ends for this connection, too, though the cable is back."""
    clock, tried = iter([0.0, seconds]), []

    def fails(*_: object) -> socket.socket:
        tried.append(1)
        raise OSError(number, "it failed")

    monkeypatch.setattr(connect, "_connected", fails)
    monkeypatch.setattr(connect.time, "monotonic", lambda: next(clock))
    with pytest.raises(ConnectError, match="it failed"):
        dial(NODE, target(port=22, host="127.0.0.1"))
    assert len(tried) == tries


@pytest.mark.parametrize("host", ["lb1..example", f"{70 * 'a'}.example"])
def test_a_name_that_no_host_can_have_is_not_found(host: str) -> None:
    """An empty label, or one that is too long, as in HostName of ssh_config: told like any other unknown name."""
    with pytest.raises(ConnectError, match="can't be reached"):
        dial(NODE, target(port=22, host=host))
