"""A watch of a VIP that only reads, as kubelets and controllers hold it: it learns only what the network tells it.

Where the servers send something to whoever asks for /watch, as the lab's do ten times a second, its silences are what
they are. An API server that knows nobody here answers once, and leaves the connection open: such a silence begins, at
the latest, with what has happened to the VIP, and ends when the connection was ended and another one is there.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from lbdeploy.config.model import Address

NOTED = 0.4  # seconds; shorter silences are a busy machine's
AGAIN = 0.1  # seconds until a connection that ended is made again
CONNECT = 2.0  # seconds for TCP, which asks again after 1 s
GREET = 10.0  # seconds for TLS, as in Go's clients: haproxy may try another server meanwhile
PERIODIC = 0.05  # seconds; what comes later than that after an answer is an event
ALIVE = 1.0  # seconds in which a connection that was silent has to answer at the end


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was read in it (s, Unix). `told`: by a watch that gets events. `closed` False: it was not over."""

    vip: Address
    start: float
    end: float
    told: bool = True
    closed: bool = True

    def since(self, moments: Sequence[float]) -> float:
        """How much of it (s) came after the first of these moments; without events, after the last before its end."""
        before = [each for each in moments if each < self.end]
        if not before:
            return 0.0
        return self.end - max(self.start, min(before) if self.told else max(before))


class WatchClient:
    """Watches a VIP for as long as `run` runs, again and again; `silences` and `ends` grow meanwhile."""

    def __init__(self, vip: Address, port: int, context: ssl.SSLContext) -> None:
        self.vip = vip
        self.silences: list[Silence] = []
        self.ends: list[float] = []  # when its connections ended (s, Unix)
        self._port = port
        self._context = context
        self._told = False
        self._heard = 0.0

    @property
    def opened(self) -> bool:
        """Whether it has ever been answered."""
        return self._heard > 0

    async def run(self) -> None:
        """Watch until cancelled; a silence that lasts until then is noted, too."""
        try:
            while True:
                with suppress(OSError, TimeoutError):
                    await self._keep(*await self._open())
                await asyncio.sleep(AGAIN)
        finally:
            self._hear(closed=False)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        plain = socket.socket(socket.AF_INET6 if self.vip.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
        plain.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT):
                await asyncio.get_running_loop().sock_connect(plain, (str(self.vip), self._port))
            async with asyncio.timeout(GREET):
                return await asyncio.open_connection(sock=plain, ssl=self._context, server_hostname=str(self.vip))
        except BaseException:
            plain.close()
            raise

    async def _keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read until the connection ends. One that gets no events is asked at the end whether it lives."""
        before = self._heard
        try:
            with suppress(OSError):
                await self._read(reader, writer)
            if self._heard > before:
                self.ends.append(time.time())
        except asyncio.CancelledError:
            if not self._told and await _lives(self.vip, reader, writer):
                self._heard = time.time()
            raise
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET /watch HTTP/1.1\r\nHost: {self.vip}\r\n\r\n".encode())
        answered = 0.0
        while await reader.read(4096):
            self._hear()
            answered = answered or self._heard
            self._told |= self._heard - answered > PERIODIC

    def _hear(self, *, closed: bool = True) -> None:
        now = time.time()
        if self._heard and now - self._heard > NOTED:
            self.silences.append(Silence(self.vip, self._heard, now, self._told, closed))
        self._heard = now if closed else self._heard


async def _lives(vip: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a connection that has been idle is answered. One that nobody knows any more is reset only now."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(ALIVE):
            writer.write(f"GET /livez HTTP/1.1\r\nHost: {vip}\r\n\r\n".encode())
            await reader.read(4096)
            return True
    return False
