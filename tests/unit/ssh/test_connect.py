"""From where a connection is made."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from sshkeys import NODE, target

from lbdeploy.errors import ConnectError
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
