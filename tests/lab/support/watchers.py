"""Watches through VIPs, as kubelets and controllers hold them: they notice only what the network tells them.

Run as a script inside the lab's client namespace, with VIPs as arguments. On each VIP, watches read events for as long
as they come, without any timeout, and one more client sends a request each 200 ms on a connection that it keeps.
Whatever ends is opened again at once. It says "ready" once everything was answered, and ends on a line (or the end) of
standard input with one JSON document, a list: for each watch {vip, talks, events, silences: [[from, to]], ends: [[at,
why]]}, with the silences that were longer than 0.4 s, and the ends of its connections. Times are the system's monotonic
time (s). What the client itself had to wait for the machine is no silence: one begins later by as much.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import Lab

PORT = 6443
SOON = 1.5  # s; how long a watch may be silent after the VIPs have moved
READERS = 3  # a VIP
EVERY = 0.2  # s between the requests of who talks; the events of the stand-ins come each 100 ms
NOTED = 0.4  # s; shorter silences are a busy machine's
NOTICED = 0.02  # s between two looks at how late this process itself is
AGAIN = 0.05  # s until a connection that could not be opened is tried again
CONNECT = 2.0  # s for TCP, which asks again after 1 s
ANSWER = 10.0  # s for TLS, as in Go's clients: haproxy may try another server meanwhile


@contextmanager
def watching(lab: Lab, *vips: str, port: int = PORT) -> Iterator[list[dict[str, Any]]]:
    """Watches within the block; afterwards, what they have seen is in the list."""
    lbdeploy = Path(sys.executable).with_name("lbdeploy")
    argv = [str(lbdeploy), "-f", str(lab.file), "lab", "exec", "client", sys.executable, __file__, str(port), *vips]
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen: list[dict[str, Any]] = []
    try:
        assert client.stdout
        assert client.stdout.readline() == "ready\n"
        yield seen
    finally:
        out, _ = client.communicate("end\n", timeout=30)
        seen += json.loads(out)


def longest(seen: list[dict[str, Any]], *, after: float = 0.0, talks: bool = False) -> float:
    """The longest silence (s) of any watch, of what of it came after a time."""
    gaps = [till - max(since, after) for each in seen if each["talks"] == talks for since, till in each["silences"]]
    return max(gaps, default=0.0)


def ends(seen: list[dict[str, Any]]) -> list[int]:
    """How often the connection of each watch ended."""
    return [len(each["ends"]) for each in seen if not each["talks"]]


@dataclass
class Waits:
    """How long (s) this process has had to wait for the machine, which it notices by being late itself."""

    before: float = 0.0
    due: float = field(default_factory=time.monotonic)

    @property
    def so_far(self) -> float:
        return self.before + max(0.0, time.monotonic() - self.due)

    async def note_for_ever(self) -> None:
        while True:
            self.before, self.due = self.so_far, time.monotonic() + NOTICED
            await asyncio.sleep(NOTICED)


@dataclass
class Watch:
    """One client of a VIP, and what it has seen so far."""

    vip: str
    talks: bool
    waits: Waits
    events: int = 0
    silences: list[tuple[float, float]] = field(default_factory=list)
    ends: list[tuple[float, str]] = field(default_factory=list)
    _last: float = 0.0
    _waited: float = 0.0

    async def go_on(self, port: int, context: ssl.SSLContext) -> None:
        """Watch; when it ends, note that, and watch again."""
        while True:
            try:
                reader, writer = await _opened(self.vip, port, context)
            except (OSError, TimeoutError):
                await asyncio.sleep(AGAIN)
                continue
            try:
                await (self._talk(reader, writer) if self.talks else self._read(reader, writer))
                self._end("it was ended")
            except (OSError, EOFError) as error:
                self._end(type(error).__name__)
            finally:
                writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /watch HTTP/1.1\r\nHost: lab\r\n\r\n")
        while await reader.read(4096):
            self.event()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: lab\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            self.event()
            await asyncio.sleep(EVERY)

    def event(self) -> None:
        """Something was read; what came before it was silence."""
        now, waited = time.monotonic(), self.waits.so_far
        silent_since = self._last + waited - self._waited
        if self._last and now - silent_since > NOTED:
            self.silences.append((round(silent_since, 3), round(now, 3)))
        self._last, self._waited, self.events = now, waited, self.events + 1

    def _end(self, why: str) -> None:
        self.ends.append((round(time.monotonic(), 3), why))


async def _opened(vip: str, port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    plain = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET)
    plain.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT):
            await asyncio.get_running_loop().sock_connect(plain, (vip, port))
        async with asyncio.timeout(ANSWER):
            return await asyncio.open_connection(sock=plain, ssl=context, server_hostname="lab")
    except BaseException:
        plain.close()
        raise


async def main(port: int, vips: list[str]) -> list[Watch]:
    """Watch until standard input says something, or ends. What is silent then counts as silent until then."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the test is about the way there
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    waits = Waits()
    watches = [Watch(vip, talks, waits) for vip in vips for talks in (*[False] * READERS, True)]
    work = [asyncio.create_task(each.go_on(port, context)) for each in watches]
    work.append(asyncio.create_task(waits.note_for_ever()))
    while not all(each.events for each in watches):
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await over.wait()
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    for each in watches:
        each.event()
    return watches


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        print(json.dumps([asdict(each) for each in asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))]))
