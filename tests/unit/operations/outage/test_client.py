"""The client that measures an outage, and its streams."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, ip_address

import pytest
from drills import VIP

from lbdeploy.operations.outage import client
from lbdeploy.operations.outage.client import LATE, SILENT, Prober, Stream
from lbdeploy.operations.outage.gaps import ProbeResult


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
            wait_for(lambda: [probe.vip for probe in prober.results].count(here) >= 10)
    seen = {str(vip): {probe.failure for probe in prober.results if probe.vip == vip} for vip, _ in targets}
    assert "" in seen["127.0.0.1"]
    assert seen["127.0.0.2"] == {"no answer in time"}
    assert {probe.failure for probe in prober.results if str(probe.vip) == "127.0.0.3"} == {"Connection refused"}


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


class Pausing(IPv4Address):
    """A VIP at which the prober stops for a while, as on a busy machine, once it has begun to connect."""

    pause = 0.5

    def __str__(self) -> str:
        with suppress(RuntimeError):  # outside of the prober
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, time.sleep, self.pause)  # the task that connects is next
        return super().__str__()


def probed(vip: IPv4Address, server: socket.socket, patience: float = 0.2) -> ProbeResult:
    """The first probe of that server."""
    with Prober([(vip, server.getsockname()[1])], patience=patience) as prober:
        wait_for(lambda: prober.results)
    return prober.results[0]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    monkeypatch.setattr(client, "PERIOD", 5.0)


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_is_found_late_was_there_in_time(server: socket.socket) -> None:
    """A busy machine here is no outage there."""
    threading.Thread(target=answer, args=(server,), daemon=True).start()
    found = probed(Pausing("127.0.0.1"), server)
    assert (found.failure, found.waited > 0.4) == ("", True)


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_is_found_late_was_there_in_time(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    hello = client.client_hello()

    def ask() -> bytes:
        asyncio.get_running_loop().call_later(0.01, time.sleep, 0.5)
        return hello

    monkeypatch.setattr(client, "client_hello", ask)
    threading.Thread(target=answer, args=(server, 0.05), daemon=True).start()
    found = probed(ip_address("127.0.0.1"), server)
    assert (found.failure, found.waited > 0.4) == ("", True)


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_tcp_had_to_ask_for_again_is_late_however_late_the_prober_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel has counted the SYNs; when the prober looks, the second one was answered long since."""
    monkeypatch.setattr(Pausing, "pause", 1.5)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        first = socket.create_connection(server.getsockname())  # there is no room for another, whose SYN is lost
        room = threading.Timer(0.5, lambda: (first.close(), answer(server)))
        room.daemon = True
        room.start()
        assert probed(Pausing("127.0.0.1"), server, 1.9).failure == LATE


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
