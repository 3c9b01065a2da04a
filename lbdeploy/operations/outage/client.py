"""A client of every VIP, on the operator's machine: short connections at 50 Hz, a long one that talks, and watches.

It has a thread and an event loop of its own, so that nothing the drill does delays it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from lbdeploy.config.model import Address
from lbdeploy.node.tls_hello import client_hello
from lbdeploy.operations.outage.gaps import PATIENCE, ProbeResult, by_vip
from lbdeploy.operations.outage.watch import ALIVE, WatchClient

WATCHES = 3  # of each VIP
PERIOD = 0.02  # seconds between the probes of a VIP
AGAIN = 1.9  # seconds for an answer to the second SYN
SILENT = "no answer in time"
LATE = "answered only when TCP had asked again"
STREAM_PERIOD = 0.1
STREAM_PATIENCE = 1.0

ProbeTarget = tuple[Address, int]


@dataclass(frozen=True, slots=True)
class Stream:
    """A long connection to a VIP. `broken` is when it was found broken (s, Unix); None: it lived until the end."""

    vip: Address
    opened: float
    broken: float | None = None

    def alive_at(self, moment: float) -> bool:
        """Whether it was open then (s, Unix)."""
        return self.opened < moment and (self.broken is None or self.broken >= moment)


class Prober:
    """Probes the targets while it is open as a context manager; `results`, `streams` and `watches` grow meanwhile.

    `watches`: how many there are of each VIP. `patience`: seconds that a probe waits. What is answered after PATIENCE
    has failed all the same, but is known to have been LATE.
    """

    def __init__(self, targets: Sequence[ProbeTarget], watches: int = 0, patience: float = PATIENCE) -> None:
        self.results: list[ProbeResult] = []
        self.streams: list[Stream] = []
        context = _context()
        self.watches = [WatchClient(vip, port, context) for vip, port in targets for _ in range(watches)]
        self._targets = targets
        self._patience = patience
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._probe()), name="prober", daemon=True)

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(self._patience + STREAM_PATIENCE + ALIVE)

    @property
    def refused(self) -> list[Address]:
        """The VIPs that have closed every connection from here so far, although they may serve other clients."""
        by = by_vip([*self.results])
        return [
            vip
            for vip, results in by.items()
            if all(s.accepted and s.failure not in ("", SILENT, LATE) for s in results)
        ]

    def watched(self, since: float) -> dict[str, Any]:
        """What the watches noticed, for what a `Measured` has of them. Those ended whose connection did after then."""
        opened = [each for each in self.watches if each.opened]
        return {
            "watches": len(opened),
            "ended_watches": sum(any(end > since for end in each.ends) for each in opened),
            "silences": tuple(silence for each in opened for silence in each.silences),
        }

    async def _probe(self) -> None:
        streams = [asyncio.create_task(self._stream(vip, port)) for vip, port in self._targets]
        streams += [asyncio.create_task(watch.run()) for watch in self.watches]
        probes: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._stop.is_set():
            for vip, port in self._targets:
                probe = asyncio.create_task(self._probe_once(vip, port))
                probes.add(probe)
                probe.add_done_callback(probes.discard)
            due = max(due + PERIOD, time.monotonic())  # a late round is not made up for by a burst
            await asyncio.sleep(due - time.monotonic())
        await asyncio.gather(*probes)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)

    async def _probe_once(self, vip: Address, port: int) -> None:
        start, accepted = time.time(), False
        try:
            async with asyncio.timeout(self._patience), _connected(vip, port) as connection:
                accepted = True
                failure = await _ask(connection) or (LATE if time.time() - start > PATIENCE else "")
        except TimeoutError:
            failure = SILENT
        except OSError as error:
            failure = os.strerror(error.errno) if error.errno else str(error)
            accepted |= error.errno == errno.ECONNRESET  # only what was accepted is reset, maybe before we see it
        self.results.append(ProbeResult(vip, start, failure, accepted, time.time() - start))

    async def _stream(self, vip: Address, port: int) -> None:
        """Keep a connection alive, and make another when it breaks, as a client would."""
        while True:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(STREAM_PATIENCE):
                    reader, writer = await asyncio.open_connection(str(vip), port, ssl=_context())
                await self._keep(Stream(vip, time.time()), reader, writer)
            await asyncio.sleep(STREAM_PERIOD)

    async def _keep(self, stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams.append(stream)
        try:
            while await _exchange(str(stream.vip), reader, writer):
                await asyncio.sleep(STREAM_PERIOD)
        finally:
            writer.transport.abort()
            if not self._stop.is_set():
                self.streams[self.streams.index(stream)] = Stream(stream.vip, stream.opened, time.time())


@asynccontextmanager
async def _connected(vip: Address, port: int) -> AsyncIterator[socket.socket]:
    family = socket.AF_INET6 if vip.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(vip), port))
        yield connection


async def _ask(connection: socket.socket) -> str:
    """Send a ClientHello; why no byte of an answer came, or "". haproxy also accepts while it has no server."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, client_hello())
    return "" if await loop.sock_recv(connection, 1) else "closed without an answer"


async def _exchange(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Send a request over a long connection; whether an answer came in time. Raises OSError and TimeoutError."""
    async with asyncio.timeout(STREAM_PATIENCE):
        writer.write(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await writer.drain()
        return bool(await reader.read(65536))


def _context() -> ssl.SSLContext:
    """A TLS context that verifies nothing: no secret is sent, and only whether the stream lives is measured."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
