"""The client that all tests judge by: it connects to each VIP every 20 ms, and holds a long stream through each.

Run as a script inside the lab's client namespace, with VIPs as arguments, it says "ready" once everything was answered,
and ends on a line (or the end) of standard input with one JSON document:

    probes    new connections that were begun: TCP within 2.5 s, and GET /readyz answered within 3 s more: one of five
              over TLS, the others in plain, to which a server says that it speaks TLS only
    failures  [{vip, at, until, why, connected}] those that were not answered; of some, `connected`, TCP had been there
    late      [{vip, at, why, connected}] those that TCP had to ask for twice, as a lost packet makes it do after 1 s;
              the kernel says so, not the time, which may be what the client itself had to wait for the machine
    streams   streams that were opened: one a VIP, and one for each that broke
    broken    [{vip, at, why}] streams that ended, or were silent for 3 s; each is opened again
    cpu_s     what the client itself has cost
    gaps      {vip: s}, the longest time from one answer to a probe to the next
    lag_s     the longest that it had to wait for the machine; near a timeout, what it says is not the nodes' doing

`at` is the system's monotonic time (s), of the beginning of the probe, or of the stream's end; `until`, of its end.
Measured: 6 % of one core for two VIPs; were all probes over TLS, 12 %.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import Lab

PORT = 6443
EVERY = 0.02  # s between two probes of a VIP
OVER_TLS = 5  # one probe of so many
CONNECT = 2.5  # s for TCP, which asks again after 1 s
LATE = 0.9  # s; what takes longer was asked for again, so that no lost packet goes unseen
MOMENT = 0.1  # s in which no node has a VIP that moves, as lbdeploy's own prober counts it (outage.gaps)
ANSWER = 3.0  # s for TLS and the answer, which a busy machine may delay
SILENCE = 3.0  # s; the stand-ins send a chunk every 50 ms
AGAIN = 0.2  # s until a stream that broke is opened again
CLOSED = "closed without an answer"
SILENT = f"no answer within {ANSWER:g} s"
RESET = os.strerror(errno.ECONNRESET)
TWICE = "connected at the second attempt"
READY = 10.0  # s; then the client is as ready as it will be


@contextmanager
def traffic(lab: Lab, *vips: str) -> Iterator[dict[str, Any]]:
    """A client at work within the block; afterwards, what it has seen is in the dictionary, with the keys above."""
    lbdeploy = Path(sys.executable).with_name("lbdeploy")
    argv = [str(lbdeploy), "-f", str(lab.file), "lab", "exec", "client", sys.executable, __file__, *vips]
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen: dict[str, Any] = {}
    try:
        assert client.stdout
        assert client.stdout.readline() == "ready\n"
        yield seen
    finally:
        out, _ = client.communicate("end\n", timeout=30)
        seen |= json.loads(out)


def gap(seen: dict[str, Any], vip: str) -> float:
    """The longest time (s) without an answer that an independent client saw; 0 where it got all answers at once."""
    disturbed = any(each["vip"] == vip for each in (*seen["failures"], *seen["late"]))
    return float(seen["gaps"][vip]) if disturbed else 0.0


NOT_OPENED = ("no connection within", "Connection refused", "No route to host", "Network is unreachable")


def turned_away(seen: dict[str, Any]) -> list[dict[str, Any]]:
    """The new connections that could not be opened."""
    return [each for each in seen["failures"] if each["why"].startswith(NOT_OPENED)]


def cut(seen: dict[str, Any], moves: int) -> list[dict[str, Any]]:
    """The connections that moves should not have cost: those that were cut, or that TCP had to ask for again, at more
    instants than there were moves of a VIP.

    However many are open when a VIP moves, they are cut; and a busy machine has more of them open, and on their way.
    """
    lost = [each for each in seen["failures"] if not each["why"].startswith(NOT_OPENED)]
    wrong: list[dict[str, Any]] = []
    for vip in sorted({each["vip"] for each in (*lost, *seen["late"])}):
        closed, again = ([each for each in kind if each["vip"] == vip] for kind in (lost, seen["late"]))
        wrong += closed if len(instants(closed)) > moves else []
        wrong += again if bursts(again) > moves else []
    return wrong


def instants(lost: list[dict[str, Any]]) -> list[float]:
    """The fewest instants (s) such that each of these connections was open at one of them."""
    found = [-inf]
    for each in sorted(lost, key=lambda one: one["until"]):
        if each["at"] > found[-1]:
            found.append(each["until"])
    return found[1:]


def bursts(late: list[dict[str, Any]]) -> int:
    """The fewest moments in which all of these connections were begun."""
    begun = [-inf]
    for at in sorted(each["at"] for each in late):
        if at > begun[-1] + MOMENT:
            begun.append(at)
    return len(begun) - 1


def smooth(seen: dict[str, Any], moves: int) -> None:
    """No new connection failed; of those that were open, no more were cut than a move does."""
    assert seen["probes"] > 20
    assert turned_away(seen) == []
    assert cut(seen, moves) == []
    if not moves:
        assert (seen["failures"], seen["broken"]) == ([], [])


@dataclass
class Seen:
    """What the client has seen so far."""

    probes: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)
    streams: int = 0
    broken: list[dict[str, Any]] = field(default_factory=list)
    gaps: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    lag_s: float = 0.0


class Client:
    """One VIP's probes and its stream."""

    def __init__(self, vip: str, seen: Seen) -> None:
        self.vip = vip
        self.seen = seen
        self.answered = asyncio.Event()
        self.streaming = asyncio.Event()
        self._last_answer = time.monotonic()
        seen.gaps[vip] = 0.0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # the test is about the way there

    async def probe_for_ever(self) -> None:
        """Begin a probe every 20 ms, whatever became of those before; after a delay none is made up for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as probes:
            while True:
                probes.create_task(self._probe())
                due = due + EVERY if due + EVERY > loop.time() else loop.time() + EVERY
                await asyncio.sleep(due - loop.time())
                self.seen.lag_s = max(self.seen.lag_s, round(loop.time() - due, 3))

    async def stream_for_ever(self) -> None:
        """Hold a stream; when it breaks, note that, and open it again."""
        while True:
            try:
                async with self._get(await self._connected(), "/stream") as reader:
                    async with asyncio.timeout(ANSWER):
                        await reader.readuntil(b"\r\n\r\n")
                    self.seen.streams += 1
                    self.streaming.set()
                    why = await _end(reader)
                    self.seen.broken.append(self._note(time.monotonic(), why))
            except (OSError, EOFError):
                pass  # it was not open yet; the probes tell why
            await asyncio.sleep(AGAIN)

    async def _probe(self) -> None:
        began, connected = time.monotonic(), False
        ask = self._over_tls if self.seen.probes % OVER_TLS == 0 else self._in_plain
        self.seen.probes += 1
        try:
            plain = await self._connected()
            connected = True
            if time.monotonic() - began > LATE and _asked_again(plain):
                self.seen.late.append({**self._note(began, TWICE), "connected": True})
            await ask(plain)
            self._note_answer()
        except (OSError, EOFError) as error:
            # What was reset before it was connected is ECONNREFUSED (Linux, tcp_reset): this one was, a moment ago.
            connected |= isinstance(error, OSError) and error.errno == errno.ECONNRESET
            self.seen.failures.append({**self._note(began, _why(error)), "connected": connected})

    async def _over_tls(self, plain: socket.socket) -> None:
        """Ask for /readyz. Raises OSError and EOFError."""
        async with self._get(plain, "/readyz") as reader, asyncio.timeout(ANSWER):
            line = await reader.readuntil(b"\r\n")
        if b" 200 " not in line:
            raise OSError(line.decode(errors="replace").strip())

    async def _in_plain(self, plain: socket.socket) -> None:
        """The same without TLS: a server that lives says that this is a bad request. Raises OSError and EOFError."""
        loop = asyncio.get_running_loop()
        with plain:
            async with asyncio.timeout(ANSWER):
                await loop.sock_sendall(plain, self._request("/readyz"))
                answer = await loop.sock_recv(plain, 4096)
        if not answer:
            raise EOFError
        if b" 400 " not in answer:
            raise OSError(answer.decode(errors="replace").strip())

    def _request(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self.vip}\r\nConnection: close\r\n\r\n".encode()

    def _note_answer(self) -> None:
        before, self._last_answer = self._last_answer, time.monotonic()
        if self.answered.is_set():
            self.seen.gaps[self.vip] = max(self.seen.gaps[self.vip], round(self._last_answer - before, 3))
        self.answered.set()

    async def _connected(self) -> socket.socket:
        """A connection of its own. Raises OSError.

        One that the kernel has finished while the client itself had to wait is there: connect(2) says so when it is
        called again.
        """
        plain = socket.socket(socket.AF_INET6 if ":" in self.vip else socket.AF_INET)
        plain.setblocking(False)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CONNECT):
                    await asyncio.get_running_loop().sock_connect(plain, (self.vip, PORT))
                    return plain
            if plain.connect_ex((self.vip, PORT)):
                raise OSError(f"no connection within {CONNECT:g} s")
        except BaseException:
            plain.close()
            raise
        return plain

    @asynccontextmanager
    async def _get(self, plain: socket.socket, path: str) -> AsyncIterator[asyncio.StreamReader]:
        """The answer to a request over TLS; the connection is closed afterwards. Raises OSError."""
        try:
            async with asyncio.timeout(ANSWER):
                reader, writer = await asyncio.open_connection(sock=plain, ssl=self._context, server_hostname=self.vip)
        except BaseException:
            plain.close()
            raise
        try:
            writer.write(self._request(path))
            yield reader
        finally:
            writer.transport.abort()

    def _note(self, at: float, why: str) -> dict[str, Any]:
        return {"vip": self.vip, "at": round(at, 3), "until": round(time.monotonic(), 3), "why": why}


def _asked_again(connection: socket.socket) -> bool:
    """Whether TCP has sent anything twice, which can only be the SYN as long as nothing else was sent.

    It is tcpi_total_retrans of `struct tcp_info` (linux/tcp.h).
    """
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return bool(struct.unpack_from("=I", info, 100)[0])


async def _end(reader: asyncio.StreamReader) -> str:
    """Read a stream for as long as something comes; why nothing comes any more."""
    try:
        while True:
            async with asyncio.timeout(SILENCE):
                if not await reader.read(4096):
                    return "it was ended"
    except TimeoutError:
        return f"silent for {SILENCE:g} s"
    except OSError as error:
        return _why(error)


def _why(error: Exception) -> str:
    if isinstance(error, EOFError | ssl.SSLEOFError):
        return CLOSED
    if isinstance(error, ssl.SSLError):
        return str(error)
    if isinstance(error, OSError) and error.args:
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return SILENT


async def main(vips: list[str]) -> Seen:
    """Be the client of these VIPs until standard input says something, or ends."""
    seen = Seen()
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    clients = [Client(vip, seen) for vip in vips]
    work = [asyncio.create_task(each()) for one in clients for each in (one.probe_for_ever, one.stream_for_ever)]
    events = [event for one in clients for event in (one.answered, one.streaming)]
    with suppress(TimeoutError):
        async with asyncio.timeout(READY):
            await asyncio.gather(*(event.wait() for event in events))
    print("ready", flush=True)
    await over.wait()
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    seen.cpu_s = round(sum(os.times()[:2]), 2)
    return seen


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(main(sys.argv[1:])))))
