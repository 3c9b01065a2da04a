"""A client of every VIP, on the operator's machine: short connections at 50 Hz, a long one that talks, and watches.

It has a thread and an event loop of its own, so that nothing the drill does delays it. A busy machine does all the
same: what the kernel had in time counts as in time, however late it is found here.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
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

    `watches`: how many there are of each VIP. `patience`: seconds that a probe waits for its connection, and for the
    answer. What is there after PATIENCE has failed all the same, but is known to have been LATE.
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
        self._thread.join(2 * self._patience + STREAM_PATIENCE + ALIVE)

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
            with _unconnected(vip) as connection:
                loop = asyncio.get_running_loop()
                late = await self._late(loop.sock_connect(connection, (str(vip), port)))
                accepted = True
                late |= time.time() - start > PATIENCE and _asked_again(connection)
                late |= await self._late(_ask(connection))
                failure = LATE if late else ""
        except TimeoutError:
            failure = SILENT
        except OSError as error:
            failure = os.strerror(error.errno) if error.errno else str(error)
            accepted |= error.errno == errno.ECONNRESET  # only what was accepted is reset, maybe before we see it
        self.results.append(ProbeResult(vip, start, failure, accepted, time.time() - start))

    async def _late(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do this; whether it took longer than PATIENCE. Raises TimeoutError, and what it raises itself."""
        task = asyncio.create_task(work)
        in_time = await _ended(task, PATIENCE)
        if in_time or await _ended(task, self._patience - PATIENCE):
            await task
            return not in_time
        task.cancel()
        await asyncio.wait({task})  # it lets go of its connection, which is closed next
        raise TimeoutError

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


def _unconnected(vip: Address) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if vip.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    return connection


async def _ended(task: asyncio.Task[None], seconds: float) -> bool:
    """Whether it has ended by then. Unlike asyncio.timeout, this looks before it judges: where this machine had no time
    for the prober, what it waited for may have come long since."""
    await asyncio.wait({task}, timeout=seconds)
    return task.done()


def _asked_again(connection: socket.socket) -> bool:
    """Whether TCP sent its SYN twice, where nothing else was sent yet: tcpi_total_retrans of Linux's `struct tcp_info`.

    Other systems don't say; there, whoever waited for longer than TCP does is taken to know.
    """
    if not hasattr(socket, "TCP_INFO"):
        return True
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return bool(struct.unpack_from("=I", info, 100)[0])


async def _ask(connection: socket.socket) -> None:
    """Send a ClientHello. Raises OSError if no byte of an answer came: haproxy also accepts while it has no server."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, client_hello())
    if not await loop.sock_recv(connection, 1):
        raise OSError("closed without an answer")


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
