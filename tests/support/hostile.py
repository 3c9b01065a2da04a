"""SSH servers on this machine that behave as no node should: real ones, made of paramiko's other half."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sshkeys import CA, HOST, NODE, public, target

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Ssh
from lbdeploy.events import Event
from lbdeploy.ssh.config import Known
from lbdeploy.ssh.connect import dial
from lbdeploy.ssh.transport.session import Session, connect

Behaviour = Callable[[paramiko.Channel], None]
EXPECTED = (OSError, EOFError, paramiko.SSHException)  # once the other side has had enough


def answers(text: str) -> Behaviour:
    """Runs no script, but says `text` where its output should be, and ends well."""

    def behave(channel: paramiko.Channel) -> None:
        begin(channel)
        channel.sendall(text.encode(errors="surrogateescape"))
        channel.send_exit_status(0)
        channel.close()

    return behave


def silent(channel: paramiko.Channel) -> None:
    """Never says a word, though its sshd answers keepalives."""


def begins_and_is_silent(channel: paramiko.Channel) -> None:
    """Begins to answer."""
    begin(channel)
    channel.sendall(b"one line\n")


def drips(channel: paramiko.Channel) -> None:
    """A byte at a time, and never a line."""
    begin(channel)
    while True:
        channel.sendall(b"x")
        time.sleep(0.05)


def drips_lines(channel: paramiko.Channel) -> None:
    """A line at a time, without end."""
    begin(channel)
    while True:
        channel.sendall(b"@@lbdeploy step wait\n")
        time.sleep(0.05)


def floods(channel: paramiko.Channel) -> None:
    """As fast as it can, without end."""
    begin(channel)
    while True:
        channel.sendall(b"x" * 32768)


def floods_beyond_the_window(channel: paramiko.Channel) -> None:
    """Also where it was not told that there is room."""
    channel.out_window_size = 1 << 60
    floods(channel)


def begin(channel: paramiko.Channel) -> None:
    """Print the mark with which every script begins: its first line is `echo MARK`."""
    script = b""
    while b"\n" not in script:
        script += channel.recv(4096)
    mark = script.partition(b"\n")[0].removeprefix(b"echo ").decode()
    channel.sendall(f"{mark}\n".encode())


@dataclass
class Server(paramiko.ServerInterface):
    """Lets everybody in; what it does with a command is its behaviour. `deaf`: it does not even accept commands."""

    behave: Behaviour
    deaf: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self.deaf:
            self.over.wait(60)
            return False
        threading.Thread(target=self._behave, args=(channel,), daemon=True).start()
        return True

    def _behave(self, channel: paramiko.Channel) -> None:
        with suppress(*EXPECTED):
            self.behave(channel)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that serves one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(*EXPECTED):
                connection, _ = server.accept()
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


@contextmanager
def session(
    folder: Path, behave: Behaviour, *, deaf: bool = False, told: list[Event] | None = None
) -> Iterator[Session]:
    """A session of root's with a server that behaves so."""
    server, transports = Server(behave, deaf), []

    def serve(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transports.append(transport)
        text = HOST.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        transport.add_server_key(paramiko.Ed25519Key.from_private_key(StringIO(text)))
        transport.start_server(server=server)

    with listening(serve) as port:
        made = logged_in(folder, port, told if told is not None else [])
        try:
            yield made
        finally:
            server.over.set()
            made.close()
            for transport in transports:
                transport.close()


def logged_in(folder: Path, port: int, told: list[Event]) -> Session:
    """A session with the server at a port of this machine. Raises ConnectError."""
    key = folder / "key"
    key.write_bytes(CA.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    known = (Known("", "ssh-ed25519", public(HOST)),)
    hop = target(known, host="127.0.0.1", port=port, user="root", identity_files=(key,), connect_timeout=2.0)
    return connect(NODE, hop, Ssh(answers=Answers()), dial(NODE, hop), told.append)
