"""SSH to the nodes: verified host keys, root privileges, scripts over standard input, and a dead peer noticed.

The only importer of paramiko and, apart from the tasks that a fabfile imports, of fabric. Fabric opens the
connections; a script goes through a plain channel, since Fabric's own input is slow (measured: 10 ms a byte).
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from lbdeploy.common import startup
from lbdeploy.common.shell import nonce
from lbdeploy.common.startup import stand_in, unused, version_of
from lbdeploy.common.typed import typed

with (
    stand_in("unittest.mock", Mock=None),
    stand_in("invoke.vendor.yaml"),
    stand_in("importlib.metadata", version=version_of),
    stand_in("decorator", decorator=startup.decorator),
    unused(  # how tasks are found and called
        *(f"invoke.{name}" for name in ("collection", "executor", "loader", "parser", "program", "tasks")),
        *(f"fabric.{name}" for name in ("auth", "executor", "group", "tasks", "transfer")),
    ),
    unused(  # file transfers, and what a server needs
        *(f"paramiko.sftp{part}" for part in ("", "_attr", "_client", "_file", "_handle", "_server", "_si")),
        "paramiko.server",
    ),
    unused(  # all but what signs with Ed25519
        *(f"nacl.bindings.crypto_{name}" for name in ("aead", "box", "generichash", "kx", "pwhash")),
        *(f"nacl.bindings.crypto_{name}" for name in ("secretbox", "secretstream", "shorthash")),
        "nacl.public",
    ),
):
    import fabric  # noqa: F401 - imported first, with stand-ins: paramiko imports invoke, too
from paramiko import Channel, ChannelException, SSHException

from lbdeploy.common.redact import hidden, hidden_in_base64
from lbdeploy.config.model import Node, Ssh
from lbdeploy.errors import LostError
from lbdeploy.events import Emit, RemoteCommand, excerpt
from lbdeploy.ssh.config import Target
from lbdeploy.ssh.connect import dial
from lbdeploy.ssh.greeting import Greeting, Question
from lbdeploy.ssh.limits import HOLD, LOOK, Limits
from lbdeploy.ssh.transport.channel import CommandResult, Held, OutputLines, Watchdog, closing
from lbdeploy.ssh.transport.connections import Connections
from lbdeploy.ssh.transport.login import login
from lbdeploy.ssh.transport.sudo import Root, masked

__all__ = ["CommandResult", "Held", "Session", "connect"]

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # otherwise paramiko prints tracebacks of its own

QUIET_SECONDS = 5.0  # seconds of silence after which a node is asked whether it is still there
DEADLINE_SECONDS = 9.0  # seconds that it has to answer: together under 15 s
TOLD = 6_000  # characters of an answer that are passed on to the log: looking for secrets in all takes 2 ms a look


class Session:
    """A connection to a node, to run scripts as root. Use it from one thread at a time."""

    def __init__(
        self, node: Node, root: Root, connections: Connections, emit: Emit, *, news: str = "", login: str = ""
    ) -> None:
        self.node = node
        self.news = news  # notes about the login for the operator
        self._login = login  # how to log in by hand
        self._connections = connections
        self._root = root
        self._emit = emit

    @property
    def alive(self) -> bool:
        """Whether the connection still works. Asks the node, and waits for its answer."""
        if not self._connections.current.transport.is_active():
            return False
        try:
            self._keepalive()
        except LostError:
            return False
        return True

    def run(self, script: str, on_line: Callable[[str], None] | None = None, limits: Limits = LOOK) -> CommandResult:
        """Run a POSIX sh script as root; each line is passed on as it comes. Raises LostError, SudoError, LoginError.

        The remote command is the same for every login shell, and no part of the script is in a process list. A node
        that exceeds the limits is not talked to any more over this connection.
        """
        try:
            result = self._run(script, on_line, limits)
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(str(error)) from None
        return result

    def hold(self, script: str, mark: str) -> tuple[Held, str]:
        """Start a script as root that runs until its input ends; returns it, and what it prints after `mark`.

        It must print that line within seconds. Raises LostError, also where sudo refuses.
        """
        try:
            return self._hold(script, mark)
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(str(error)) from None

    def greet(self, questions: Sequence[Question], tell: Callable[[Greeting], None]) -> None:
        """Ask servers through this node, also from another thread while a script runs; no failure is raised."""
        from lbdeploy.ssh.transport.greeter import greet  # needed only by what looks at certificates

        greet(self._connections.current.transport, questions, tell)

    def close(self) -> None:
        """End the connection, without waiting for the node."""
        self._connections.close()

    def _run(self, script: str, on_line: Callable[[str], None] | None, limits: Limits) -> CommandResult:
        started = nonce()  # marks where the script's output begins; missing if it did not run
        result = self._exchange(*self._root.way, f"echo {started}\n{script}", limits, OutputLines(on_line, started))
        _, ran, output = result.output.partition(f"{started}\n")
        if ran:
            return CommandResult(output, result.status)
        self._give_password(result)
        return self._run(script, on_line, limits)

    def _give_password(self, refused: CommandResult) -> None:
        """Find out whether sudo takes the password. No script follows it: a refusing sudo would read on.

        Raises SudoError, and LoginError where root has no shell.
        """
        self._root.proven(self._exchange(*self._root.proof(refused), "", LOOK, OutputLines(None, None)))

    def _hold(self, script: str, mark: str) -> tuple[Held, str]:
        command, secret = self._root.way
        channel = self._channel()
        begun, output = time.monotonic(), b""
        try:
            with self._watched(channel, HOLD) as watchdog:
                self._start(channel, command, secret + script)
                while chunk := channel.recv(4096):
                    watchdog.feed(chunk)
                    output += chunk
                    lines = output.decode(errors="replace").split("\n")[:-1]
                    marked = [line.partition(mark)[2] for line in lines if mark in line]  # after sudo's prompt, perhaps
                    if marked:
                        return Held(channel), marked[0].strip()
        finally:
            text = output.decode(errors="replace")
            self._tell(RemoteCommand(self.node.name, command, script, text, _since(begun), -1), secret)
        raise self._lost("it did not say whether it is locked")

    def _exchange(self, command: str, secret: str, script: str, limits: Limits, lines: OutputLines) -> CommandResult:
        """Run a command; its standard input is `secret`, which is never told, and then the script."""
        channel = self._channel()
        begun = time.monotonic()
        with closing(channel):
            try:
                with self._watched(channel, limits) as watchdog:
                    self._start(channel, command, secret + script, end=True)
                    for chunk in self._chunks(channel):
                        watchdog.feed(chunk)
                        lines.feed(chunk)
            finally:
                status = channel.recv_exit_status() if channel.exit_status_ready() else -1
                self._tell(RemoteCommand(self.node.name, command, script, lines.text(), _since(begun), status), secret)
            return CommandResult(lines.text(), status)

    def _channel(self) -> Channel:
        try:
            channel = self._connections.channel(DEADLINE_SECONDS)
        except ChannelException as refused:
            why = f"sshd there opens no session ({refused.text}): see MaxSessions in its sshd_config"
            raise self._lost(why) from None
        channel.set_combine_stderr(True)
        return channel

    def _start(self, channel: Channel, command: str, text: str, *, end: bool = False) -> None:
        """Start a command, and send its input; with `end`, that is all of it."""
        with self._asking():
            channel.exec_command(command)
            with suppress(OSError):  # the command has ended already, as when sudo refuses: its output tells
                channel.sendall(text.encode(errors="surrogateescape"))
                if end:
                    channel.shutdown_write()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the node again and again whether it is still there, for what has no timeout. Raises LostError if not."""
        over, lost = threading.Event(), list[LostError]()

        def ask() -> None:
            while not lost and not over.wait(QUIET_SECONDS):
                try:
                    self._keepalive()
                except LostError as error:
                    lost.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join(1.0)  # it may just have found out
            if lost:
                raise lost[0] from None

    @contextmanager
    def _watched(self, channel: Channel, limits: Limits) -> Iterator[Watchdog]:
        """Watch a channel. Raises LostError with the reason where the limits are exceeded."""
        watchdog = Watchdog(channel, limits)
        try:
            with watchdog:
                yield watchdog
        finally:
            if watchdog.exceeded:
                raise self._given_up(watchdog.exceeded) from None

    def _tell(self, wire: RemoteCommand, secret: str) -> None:
        """Tell what went over the wire, without secrets, even where the node echoes them."""
        output = hidden_in_base64(hidden(excerpt(masked(wire.output, secret), TOLD)))
        self._emit(replace(wire, script=hidden(wire.script), output=output))

    def _chunks(self, channel: Channel) -> Iterator[bytes]:
        channel.settimeout(QUIET_SECONDS)
        while True:
            try:
                chunk = channel.recv(65536)
            except TimeoutError:
                self._keepalive()
                continue
            if not chunk:
                break
            yield chunk
        if (
            not channel.exit_status_ready() and not channel.status_event.wait(1)
        ) or not self._connections.current.transport.active:
            raise self._lost("the connection ended under way")

    def _keepalive(self) -> None:
        """Ask for an answer of any kind (RFC 4254 section 4): a peer that gives none in time is gone."""
        transport = self._connections.current.transport
        asker = threading.Thread(
            target=transport.global_request, args=("keepalive@openssh.com", None, True), daemon=True
        )
        asker.start()
        asker.join(DEADLINE_SECONDS)
        if asker.is_alive() or not transport.is_active():
            transport.sock.close()
            why = f"nothing was heard from it for {QUIET_SECONDS + DEADLINE_SECONDS:.0f} s"
            raise self._lost(why, silent=True)

    def _lost(self, why: str, *, silent: bool = False) -> LostError:
        return LostError(
            f"the connection was lost: {why}",
            node=self.node.name,
            state="a change that had begun goes on by itself on the node",
            fix=typed("verify", after=", once the node can be reached"),
            silent=silent or self._was_cut(),
        )

    def _given_up(self, why: str) -> LostError:
        return LostError(
            f"it was given up: {why}",
            node=self.node.name,
            state="its connection is closed; a change that had begun goes on by itself on the node",
            fix=typed("verify", before=f"see whether it answers by hand: {self._login}; then: "),
            silent=True,
        )

    def _was_cut(self) -> bool:
        """Whether the network path to the node was lost, rather than the connection closed by it, as in a shutdown."""
        error = self._connections.current.transport.get_exception()
        return isinstance(error, OSError) and not isinstance(error, ConnectionResetError | BrokenPipeError)


def _since(begun: float) -> float:
    return time.monotonic() - begun


def connect(node: Node, target: Target, ssh: Ssh, dialled: socket.socket, emit: Emit) -> Session:
    """Log in to a node, every hop's host key verified. Raises ConnectError, HostKeyError and LoginError.

    `dialled` is a connection to the target, or to the first of its hops. `emit` is told of every script that is run.
    """
    connection, news = login(node, target, ssh.answers, dialled)
    connections = Connections(connection, lambda: login(node, target, ssh.answers, dial(node, target))[0])
    root = Root(node, target.user, ssh.answers)
    return Session(node, root, connections, emit, news=news, login=target.by_hand.login())
