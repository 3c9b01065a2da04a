"""SSH to the nodes: verified host keys, root rights, scripts over standard input, and a dead peer noticed.

The only importer of fabric and paramiko. Fabric opens the connections; a script goes through a plain channel, since
Fabric's own input is slow (measured: 10 ms a byte).
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from lbdeploy.slim import stand_in

with stand_in("unittest.mock", Mock=None), stand_in("invoke.vendor.yaml"):
    from fabric import Config, Connection
from paramiko import AuthenticationException, Channel, SSHException
from paramiko.config import SSHConfig

from lbdeploy.dial import unreachable, where
from lbdeploy.errors import LbdeployError, LoginError, LostError, SudoError
from lbdeploy.model import Node, Ssh
from lbdeploy.sshconfig import Target
from lbdeploy.transport.channel import Held, Lines, Result, closing
from lbdeploy.transport.hostkeys import KnownHosts, unknown_types

__all__ = ["Held", "Result", "Session", "connect"]

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # or it prints tracebacks of its own

QUIET_SECONDS = 5.0  # after so long without a word from a node, it is asked whether it is there
DEADLINE_SECONDS = 9.0  # and has so long to answer: together under 15 s


class Session:
    """A connection to a node, to run scripts as root. Use it from one thread at a time."""

    def __init__(self, node: Node, target: Target, connection: Connection) -> None:
        self.node = node
        self.target = target
        self._connection = connection
        self._elevated = ("sudo -n -- sh -s", "")  # the command that has given root rights, and what it wants first

    @property
    def alive(self) -> bool:
        """Whether the connection still is one. Asks the other side, and waits for its answer."""
        if not self._connection.transport.is_active():
            return False
        try:
            self._ask_for_life()
        except LostError:
            return False
        return True

    def run(self, script: str, on_line: Callable[[str], None] | None = None) -> Result:
        """Run a POSIX sh script as root; each line is passed on as it comes. Raises LostError and SudoError.

        The remote command is the same for every login shell, and no part of the script is in a process list.
        """
        try:
            result = self._run(script, on_line)
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(str(error)) from None
        return result

    def hold(self, script: str, mark: str) -> tuple[Held, str]:
        """Run a script as root that goes on until its input ends, and what it says after `mark`.

        Raises LostError and SudoError. It must say that line within seconds.
        """
        try:
            return self._hold(script, mark)
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(str(error)) from None

    def close(self) -> None:
        """End the connection, without waiting for the node."""
        for connection in _chain(self._connection):
            connection.close()

    def _run(self, script: str, on_line: Callable[[str], None] | None) -> Result:
        if self.target.user == "root":
            self._elevated = ("sh -s", "")
            return self._exchange("sh -s", script, on_line)
        started = secrets.token_hex(8)  # tells a script that ran from a sudo that refused to
        result = self._exchange("sudo -n -- sh -s", f"echo {started}\n{script}", on_line, started)
        if result.status and started not in result.output:
            return self._with_password(script, on_line, started, result)
        self._elevated = ("sudo -n -- sh -s", "")
        return Result(result.output.partition(started + "\n")[2], result.status)

    def _hold(self, script: str, mark: str) -> tuple[Held, str]:
        command, before = self._elevated
        channel = self._connection.transport.open_session(timeout=DEADLINE_SECONDS)
        channel.set_combine_stderr(True)
        channel.settimeout(DEADLINE_SECONDS)
        channel.exec_command(command)
        channel.sendall((before + script).encode(errors="surrogateescape"))
        said = b""
        while chunk := channel.recv(4096):
            said += chunk
            lines = said.decode(errors="replace").split("\n")[:-1]
            marked = [line.partition(mark)[2] for line in lines if mark in line]  # sudo's prompt may stand before it
            if marked:
                return Held(channel), marked[0].strip()
        raise self._lost("it did not say whether it is locked")

    def _with_password(
        self, script: str, on_line: Callable[[str], None] | None, started: str, refused: Result
    ) -> Result:
        password = os.environ.get("LBDEPLOY_SUDO_PASSWORD")
        if password is None or "password" not in refused.output:
            raise self._sudo_error(refused, "sudo gives no root rights without a password")
        prompt = secrets.token_hex(8)
        text = f"{password}\necho {started}\n{script}"
        result = self._exchange(f"sudo -k -S -p {prompt} -- sh -s", text, on_line, started)
        if result.status and started not in result.output:
            raise self._sudo_error(
                Result(result.output.replace(prompt, ""), result.status), "sudo refused the password"
            )
        self._elevated = (f"sudo -k -S -p {prompt} -- sh -s", f"{password}\n")
        return Result(result.output.partition(started + "\n")[2], result.status)

    def _sudo_error(self, refused: Result, message: str) -> SudoError:
        said = refused.output.strip().splitlines()[-1:] or ["(nothing)"]
        return SudoError(
            f"{message}; it said: {said[0]}",
            node=self.node.name,
            state="nothing was changed on it",
            fix=f"give {self.target.user} sudo rights there, or set LBDEPLOY_SUDO_PASSWORD",
            detail=refused.output,
        )

    def _exchange(
        self, command: str, text: str, on_line: Callable[[str], None] | None, after: str | None = None
    ) -> Result:
        channel = self._connection.transport.open_session(timeout=DEADLINE_SECONDS)
        with closing(channel):
            channel.set_combine_stderr(True)
            channel.exec_command(command)
            channel.sendall(text.encode(errors="surrogateescape"))
            channel.shutdown_write()
            lines = Lines(on_line, after)
            for chunk in self._chunks(channel):
                lines.feed(chunk)
            return Result(lines.text(), channel.recv_exit_status() if channel.exit_status_ready() else -1)

    def _chunks(self, channel: Channel) -> Iterator[bytes]:
        channel.settimeout(QUIET_SECONDS)
        while True:
            try:
                chunk = channel.recv(65536)
            except TimeoutError:
                self._ask_for_life()
                continue
            if not chunk:
                break
            yield chunk
        if (
            not channel.exit_status_ready() and not channel.status_event.wait(1)
        ) or not self._connection.transport.active:
            raise self._lost("the connection ended under way")

    def _ask_for_life(self) -> None:
        """Ask for an answer of any kind (RFC 4254 section 4): a peer that gives none in time is gone."""
        transport = self._connection.transport
        asker = threading.Thread(
            target=transport.global_request, args=("keepalive@openssh.com", None, True), daemon=True
        )
        asker.start()
        asker.join(DEADLINE_SECONDS)
        if asker.is_alive() or not transport.is_active():
            transport.sock.close()
            lost = self._lost(f"nothing was heard from it for {QUIET_SECONDS + DEADLINE_SECONDS:.0f} s")
            lost.silent = True
            raise lost

    def _lost(self, why: str) -> LostError:
        lost = LostError(
            f"the connection was lost: {why}",
            node=self.node.name,
            state="a change that had begun goes on by itself on the node",
            fix="lbdeploy verify, once the node can be reached",
        )
        lost.silent = self._was_cut()
        return lost

    def _was_cut(self) -> bool:
        """Whether the way to the node is gone, rather than that it ended the connection: as when it shuts down."""
        error = self._connection.transport.get_exception()
        return isinstance(error, OSError) and not isinstance(error, ConnectionResetError | BrokenPipeError)


def connect(node: Node, target: Target, ssh: Ssh, dialled: socket.socket | None = None) -> Session:
    """Log in to a node, every hop's host key verified. Raises ConnectError, HostKeyError and LoginError.

    `dialled` is a TCP connection to the target, where there are no hops before it.
    """
    gateway: Connection | None = None
    for hop in (*target.jumps, target):
        gateway = _open(node, hop, ssh, gateway, dialled if hop is target else None)
    assert gateway
    return Session(node, target, gateway)


def _open(node: Node, hop: Target, ssh: Ssh, gateway: Connection | None, dialled: socket.socket | None) -> Connection:
    connection = Connection(
        hop.host,
        user=hop.user,
        port=hop.port,
        config=Config(lazy=True, ssh_config=SSHConfig()),  # not from fabric.yml or ~/.ssh/config: `ssh -G` knows
        gateway=gateway or False,
        connect_timeout=ssh.connect_timeout,
        connect_kwargs=_credentials(hop) | ({"sock": dialled} if dialled else {}),
    )
    connection.client.set_missing_host_key_policy(KnownHosts(node, hop))
    try:
        connection.open()
    except LbdeployError:
        raise
    except AuthenticationException as error:
        raise _login_error(node, hop, error) from None
    except (SSHException, OSError, EOFError) as error:
        raise unreachable(node, hop, error) from None
    return connection


def _credentials(hop: Target) -> dict[str, Any]:
    return {
        "key_filename": [str(path) for path in hop.identity_files],
        "allow_agent": hop.agent is not None and "SSH_AUTH_SOCK" in os.environ,
        "look_for_keys": False,
        "banner_timeout": 15,
        "auth_timeout": 15,
        "disabled_algorithms": {"keys": unknown_types(hop)},
    }


def _login_error(node: Node, hop: Target, error: Exception) -> LoginError:
    keys = ", ".join(map(str, hop.identity_files)) or "none"
    return LoginError(
        f"{where(hop)} refused the login of {hop.user}: {error}",
        node=node.name,
        state=f"nothing was changed on it; tried the agent's keys and: {keys}",
        fix=f"ssh-copy-id -p {hop.port} {hop.user}@{hop.host}",
    )


def _chain(connection: Connection | bool) -> Iterator[Connection]:
    while isinstance(connection, Connection):
        yield connection
        connection = connection.gateway
