"""The client that measures an outage, and its streams."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from drills import VIP

from lbdeploy.operations.outage import client
from lbdeploy.operations.outage.client import LATE, SILENT, Prober, Stream


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def answer(listener: socket.socket, after: float = 0.0) -> None:
    """Greet back until the listener is closed."""
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                time.sleep(after)
                connection.sendall(b"\x15")
    except OSError:
        return


def test_the_prober_tells_what_answers_from_what_does_not(server: socket.socket) -> None:
    """One server answers; another only accepts; at a third address nobody listens."""
    threading.Thread(target=answer, args=(server,), daemon=True).start()
    here = ip_address("127.0.0.1")
    with socket.create_server(("127.0.0.2", 0)) as mute:
        targets = [(here, server.getsockname()[1]), (ip_address("127.0.0.2"), mute.getsockname()[1])]
        with Prober([*targets, (ip_address("127.0.0.3"), 1)]) as prober:
            time.sleep(0.4)
    seen = {str(vip): {probe.failure for probe in prober.results if probe.vip == vip} for vip, _ in targets}
    assert "" in seen["127.0.0.1"]
    assert seen["127.0.0.2"] == {"no answer in time"}
    assert {probe.failure for probe in prober.results if str(probe.vip) == "127.0.0.3"} == {"Connection refused"}
    assert len([probe for probe in prober.results if probe.vip == here]) >= 10


@pytest.mark.parametrize(("patience", "said"), [(0.1, SILENT), (10.0, LATE)])
def test_one_who_waits_longer_knows_what_was_late(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch, patience: float, said: str
) -> None:
    """It has failed in both cases, but for how an outage is told from a SYN that was lost."""
    monkeypatch.setattr(client, "PATIENCE", 0.1)
    threading.Thread(target=answer, args=(server, 0.15), daemon=True).start()
    with Prober([(ip_address("127.0.0.1"), server.getsockname()[1])], patience=patience) as prober:
        time.sleep(0.3)
    assert said in {probe.failure for probe in prober.results}


@pytest.mark.parametrize(
    ("opened", "broken", "alive"),
    [(1.0, None, True), (1.0, 3.0, True), (1.0, 1.9, False), (2.5, None, False), (1.0, 2.0, True)],
)
def test_a_stream_is_alive_from_its_opening_to_its_break(opened: float, broken: float | None, alive: bool) -> None:
    assert Stream(VIP, opened, broken).alive_at(2.0) == alive


def test_a_vip_that_refuses_this_machine_is_known_before_anything_is_broken() -> None:
    """Connections that are cut off at once are those of somebody who is not allowed; silence is something else."""
    refusing, mute = ip_address("127.0.0.1"), ip_address("127.0.0.2")
    with socket.create_server((str(refusing), 0)) as one, socket.create_server((str(mute), 0)) as other:
        threading.Thread(target=cutting, args=(one,), daemon=True).start()
        with Prober([(refusing, one.getsockname()[1]), (mute, other.getsockname()[1])]) as prober:
            time.sleep(0.4)
        assert prober.refused == [refusing]


def cutting(listener: socket.socket) -> None:
    """Cut off each connection, as haproxy does: by a reset."""
    try:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    except OSError:
        return
