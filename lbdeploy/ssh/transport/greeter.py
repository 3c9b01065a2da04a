"""TLS handshakes with servers through a node: sshd there connects (direct-tcpip, RFC 4254 section 7.2), and this
machine's OpenSSL speaks. Nothing is needed on the node, and no command is run there.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from paramiko import Channel, ChannelException, SSHException, Transport

from lbdeploy.ssh.greeting import Greeting, Question
from lbdeploy.ssh.transport.channel import closing

SECONDS = 3.0  # for one server
ALL_SECONDS = 6.0  # for all of a node's
AT_ONCE = 32
LONGEST = 65536  # bytes that are read of a server
PROHIBITED = 1  # RFC 4254, section 5.1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED
_PROXY_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"  # haproxy's doc/proxy-protocol.txt, section 2.2

T = TypeVar("T")


def greet(transport: Transport, questions: Sequence[Question], tell: Callable[[Greeting], None]) -> None:
    """Ask all of them at the same time, and tell each answer as it comes. What fails is an answer, too."""
    threads = ThreadPoolExecutor(max(min(len(questions), AT_ONCE), 1), thread_name_prefix="greeter")
    wait([threads.submit(lambda one: tell(_greet(transport, one)), each) for each in questions], ALL_SECONDS)
    threads.shutdown(wait=False, cancel_futures=True)


def _greet(transport: Transport, question: Question) -> Greeting:
    end = time.monotonic() + SECONDS
    try:
        to = (question.address, question.port)
        channel = transport.open_channel("direct-tcpip", to, ("127.0.0.1", 0), timeout=SECONDS)
    except ChannelException as refused:
        barred = refused.code == PROHIBITED
        return Greeting(question, "barred" if barred else "unreachable", why=refused.text)
    except (SSHException, OSError, EOFError):
        return Greeting(question, "unreachable", why=f"it does not answer within {SECONDS:g} s")
    channel.settimeout(SECONDS)
    with closing(channel):
        return _Handshake(channel, question, end).greeting()


class _Handshake:
    """One connection: TLS over a channel, until a time (monotonic, s)."""

    def __init__(self, channel: Channel, question: Question, end: float) -> None:
        self._channel, self._question, self._end = channel, question, end
        self._heard = 0
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context(question).wrap_bio(self._in, self._out, server_hostname=question.host or None)

    def greeting(self) -> Greeting:
        certificate, status = b"", None
        try:
            if self._question.proxied:
                self._channel.sendall(_PROXY_LOCAL)
            self._step(self._tls.do_handshake)
            certificate = self._tls.getpeercert(True) or b""
            status = self._ask() if self._question.path else None
        except ssl.SSLCertVerificationError as error:
            return Greeting(self._question, "failed", why=error.verify_message)
        except ssl.SSLError as error:
            return self._failed(certificate, (error.reason or str(error)).replace("_", " ").lower())
        except (OSError, EOFError, SSHException) as error:
            return self._failed(certificate, str(error) or f"it does not answer within {SECONDS:g} s")
        return Greeting(self._question, "greeted", certificate, status)

    def _failed(self, certificate: bytes, why: str) -> Greeting:
        plain = not certificate and why in ("wrong version number", "record layer failure", "packet length too long")
        return Greeting(self._question, "plain" if plain else "failed", certificate, why=why)

    def _ask(self) -> int | None:
        """The status with which it answers; None for no HTTP."""
        question = self._question
        head = [f"GET {question.path} HTTP/1.1", f"Host: {question.host or question.where}", "Connection: close"]
        head += [f"Authorization: Bearer {question.token}"] if question.token else []
        self._step(lambda: self._tls.write(("\r\n".join(head) + "\r\n\r\n").encode()))
        answer = b""
        while b"\n" not in answer and (more := self._step(lambda: self._tls.read(4096))):
            answer += more
        found = re.match(rb"HTTP/1\.[01] ([1-5][0-9][0-9])\b", answer)
        return int(found[1]) if found else None

    def _step(self, step: Callable[[], T]) -> T:
        """Carry it out, with what it takes to send and to receive meanwhile."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._send()
                self._receive()
                continue
            finally:
                with suppress(OSError):  # an alert about what has failed; the server may be gone
                    self._send()
            return done

    def _send(self) -> None:
        if data := self._out.read():
            self._channel.sendall(data)

    def _receive(self) -> None:
        self._channel.settimeout(max(self._end - time.monotonic(), 0.001))
        data = self._channel.recv(16384)
        self._heard += len(data)
        if not data or self._heard > LONGEST:
            raise EOFError("it closed the connection" if not data else "it says far too much")
        self._in.write(data)


def _context(question: Question) -> ssl.SSLContext:
    """What haproxy's check trusts and shows, or what trusts everybody, and shows nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(question.authorities and question.host)
    context.verify_mode = ssl.CERT_REQUIRED if question.authorities else ssl.CERT_NONE
    if question.authorities:
        context.load_verify_locations(cadata=question.authorities)
    if question.certificate and Path(question.certificate).exists():
        context.load_cert_chain(question.certificate)
    return context
