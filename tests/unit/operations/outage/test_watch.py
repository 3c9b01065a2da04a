"""A watch that only reads: what it notes of silences, with servers that send events and with such that do not."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdeploy.operations.outage import watch as watches
from lbdeploy.operations.outage.watch import Silence, WatchClient

HERE = ip_address("127.0.0.1")
Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watch") / "pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=x",
    ]
    subprocess.run([*make, "-keyout", path, "-out", path], check=True, capture_output=True)
    return path


@asynccontextmanager
async def watching(certificate: Path, serve: Served) -> AsyncIterator[WatchClient]:
    """A watch at a server of TLS, within the block."""
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.load_cert_chain(certificate)
    theirs.check_hostname = False
    theirs.verify_mode = ssl.CERT_NONE
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ours)
    found = WatchClient(HERE, server.sockets[0].getsockname()[1], theirs)
    work = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        server.close()


async def events(writer: asyncio.StreamWriter, seconds: float) -> None:
    """An event each 100 ms."""
    for _ in range(round(seconds * 10)):
        writer.write(b"x\n")
        await asyncio.sleep(0.1)


def test_silence_is_what_lies_between_events(certificate: Path) -> None:
    """Also where the connection ends in between, and at the end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await events(writer, 0.3)
        await asyncio.sleep(0.7)
        writer.transport.abort()

    async def run() -> WatchClient:
        async with watching(certificate, serve) as found:
            async with asyncio.timeout(20):
                while len(silent(found)) < 2:
                    await asyncio.sleep(0.1)
        return found

    def silent(watch: WatchClient) -> list[Silence]:
        return [each for each in watch.silences if each.end - each.start > 0.7]  # shorter ones are a busy machine's

    found = asyncio.run(run())
    assert len(found.ends) >= 2
    assert [each.told for each in silent(found)[:2]] == [True, True]


@pytest.mark.parametrize("answers", [True, False])
def test_a_server_without_events_is_asked_at_the_end(
    certificate: Path, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What still answers then was never dead; what does not may have been for long."""
    if not answers:
        monkeypatch.setattr(watches, "ALIVE", 0.3)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"no\n")
            await asyncio.sleep(0 if answers else 60)

    async def run() -> WatchClient:
        async with watching(certificate, serve) as found:
            await asyncio.sleep(0.8)
        return found

    found = asyncio.run(run())
    assert found.opened
    assert found.ends == []
    assert [(each.told, each.closed) for each in found.silences] == ([] if answers else [(False, False)])


@pytest.mark.parametrize(
    ("told", "start", "seconds"),
    [
        (True, 9.9, 3.0),  # what was silent before the break does not count
        (True, 11.0, 2.0),
        (False, 2.0, 1.0),  # without events, the last thing that has happened began it
        (False, 12.5, 0.5),
    ],
)
def test_a_silence_counts_from_what_has_happened(told: bool, start: float, seconds: float) -> None:
    assert Silence(HERE, start, 13.0, told).since([10.0, 12.0, 14.0]) == pytest.approx(seconds)
    assert Silence(HERE, start, 13.0, told).since([14.0]) == 0


def test_a_watch_that_nobody_answers_has_not_begun() -> None:
    """And has nothing to say."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = WatchClient(ip_address("127.0.0.3"), 1, context)

    async def run() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await found.run()

    began = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - began < 2
    assert (found.opened, found.silences) == (False, [])
