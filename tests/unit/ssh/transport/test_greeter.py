"""Handshakes with servers: what is heard of each kind, with a socket in the place of sshd's channel."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from paramiko import ChannelException, SSHException

from lbdeploy.lab.machine import keys
from lbdeploy.lab.machine.apiserver import ApiListener
from lbdeploy.ssh.greeting import Greeting, Question, asking
from lbdeploy.ssh.transport import greeter


class Transport:
    """Connects by itself, or fails as sshd has it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    def open_channel(self, kind: str, to: tuple[str, int], source: tuple[str, int], timeout: float) -> socket.socket:
        assert (kind, source[0]) == ("direct-tcpip", "127.0.0.1")
        if self.failure:
            raise self.failure
        return socket.create_connection(to, timeout)


def ask(port: int, failure: Exception | None = None, **question: Any) -> Greeting:
    asked = Question("k8s-api", "master1", "127.0.0.1", port, **question)
    transport: Any = Transport(failure)
    heard: list[Greeting] = []
    greeter.greet(transport, [asked], heard.append)
    (one,) = heard
    return one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.make_certificate(tmp_path, ["kubernetes", "127.0.0.1"])
    (tmp_path / "own").mkdir()
    return tmp_path


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    """A stand-in of the lab's, whose folder is `own`."""
    server = {
        "name": "master1",
        "address": "127.0.0.1",
        "directory": folder / "own",
        "objects": folder / "none",
        "certificate": folder / "server.pem",
    }
    with ApiListener(server, 0) as listener:
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


@contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A server that says this to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_certificate_is_heard(folder: Path, port: int) -> None:
    """Without a request, no HTTP is spoken."""
    heard = ask(port)
    assert (heard.outcome, heard.status) == ("greeted", None)
    own = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    assert x509.load_der_x509_certificate(heard.certificate) == own


def test_an_answer_is_heard(folder: Path, port: int) -> None:
    """By its status; with a token where one is demanded, also behind a PROXY header."""
    assert ask(port, path="/readyz").status == 200
    assert ask(port, path="/nothing").status == 404
    (folder / "own" / "token").write_text("open-sesame\n")
    assert ask(port, path="/readyz", proxied=True).status == 401
    assert ask(port, path="/readyz", token="open-sesame").status == 200


def test_a_certificate_is_shown_where_one_is_demanded(folder: Path, port: int) -> None:
    """Without it, the server's own is seen all the same."""
    (folder / "own" / "client-ca.pem").write_text((folder / "ca.pem").read_text())
    heard = ask(port, path="/readyz")
    assert (heard.outcome, heard.status, bool(heard.certificate)) == ("failed", None, True)
    assert "certificate required" in heard.why
    assert ask(port, path="/readyz", certificate=str(folder / "client.pem")).status == 200


def test_what_the_check_would_not_trust_is_not_trusted(folder: Path, port: int, tmp_path: Path) -> None:
    """Nor is it told the token: the handshake ends before."""
    ca = (folder / "ca.pem").read_text()
    assert ask(port, path="/readyz", authorities=ca, host="kubernetes").status == 200
    assert "Hostname mismatch" in ask(port, path="/readyz", authorities=ca, host="other").why
    (tmp_path / "foreign").mkdir()
    keys.make_certificate(tmp_path / "foreign", ["kubernetes"])
    heard = ask(port, path="/readyz", authorities=(tmp_path / "foreign" / "ca.pem").read_text(), token="x")
    assert (heard.outcome, heard.status) == ("failed", None)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "plain"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "plain"),
        (b"", "failed"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "failed"),  # a TLS alert: handshake failure
    ],
)
def test_what_speaks_no_tls(words: bytes, outcome: str) -> None:
    """Is no server with a certificate."""
    with saying(words) as port:
        heard = ask(port)
    assert (heard.outcome, heard.certificate) == (outcome, b"")


@pytest.mark.parametrize(
    ("failure", "outcome", "why"),
    [
        (ChannelException(1, "Administratively prohibited"), "barred", "Administratively prohibited"),
        (ChannelException(2, "Connect failed"), "unreachable", "Connect failed"),
        (SSHException("Timeout opening channel."), "unreachable", "it does not answer within 3 s"),
        (EOFError(), "unreachable", "it does not answer within 3 s"),
    ],
)
def test_connections_that_do_not_come_about(failure: Exception, outcome: str, why: str) -> None:
    """Who is to blame differs."""
    heard = ask(1, failure)
    assert (heard.outcome, heard.why) == (outcome, why)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever it is."""
    monkeypatch.setattr(greeter, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard = ask(listener.getsockname()[1])
    assert (heard.outcome, heard.certificate) == ("failed", b"")


def test_servers_are_asked_while_something_else_is_done(port: int) -> None:
    """The answers are there afterwards, but of who is slow; without questions, nobody is asked."""

    class Session:
        def greet(self, questions: list[Question], tell: Callable[[Greeting], None]) -> None:
            transport: Any = Transport()
            greeter.greet(transport, questions, tell)

    session: Any = Session()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ports = {"master1": port, "slow": silent.getsockname()[1]}
        questions = [Question("k8s-api", name, "127.0.0.1", each) for name, each in ports.items()]
        with asking(session, questions, 0.5) as heard:
            done = True
        assert done
        assert [(each.question.server, each.outcome) for each in heard] == [("master1", "greeted")]
    with asking(session, [], 0.5) as heard:
        pass
    assert heard == []


def test_where_sshd_forwards_nothing_no_server_is_to_blame() -> None:
    """Paramiko keeps one reason for all channels that are being opened, so that some are refused without one."""

    class Session:
        def greet(self, questions: list[Question], tell: Callable[[Greeting], None]) -> None:
            for each, outcome in zip(questions, ("unreachable", "barred"), strict=True):
                tell(Greeting(each, outcome))

    session: Any = Session()
    with asking(session, [Question("k8s-api", name, "127.0.0.1", 1) for name in ("one", "two")], 0.5) as heard:
        pass
    assert [each.outcome for each in heard] == ["barred", "barred"]
