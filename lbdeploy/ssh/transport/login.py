"""Logging in, hop by hop. Fabric opens the connections; which host keys and which login keys to use is decided here."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

from fabric import Config, Connection
from paramiko import AuthenticationException, PKey, SSHException, Transport
from paramiko.auth_strategy import AuthStrategy
from paramiko.config import SSHConfig
from paramiko.ssh_exception import IncompatiblePeer

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node
from lbdeploy.errors import ConnectError, HostKeyError, LbdeployError, LoginError
from lbdeploy.ssh.config import Target
from lbdeploy.ssh.connect import unreachable, where
from lbdeploy.ssh.transport.host_keys import KnownHosts, Verified, algorithms
from lbdeploy.ssh.transport.identities import Identities, identities

ANSWER_SECONDS = 15  # for the SSH banner, and for the answer to a key
MORE = "it requires more than a key"


def login(node: Node, target: Target, answers: Answers, dialled: socket.socket) -> tuple[Connection, str]:
    """A connection to the target, through all hops before it, and what the operator should hear of it."""
    gateway: Connection | None = None
    news: list[str] = []
    for hop in (*target.jumps, target):
        policy = KnownHosts(node, hop, answers, answers.stated.get(node.name, "") if hop is target else "")
        gateway = _open_stated(node, hop, policy, gateway, dialled if not gateway else None)
        news += [policy.news] if policy.news else []
        news += [f"{path}, its identity_file in hosts.toml, is not there" for path in hop.missing]
    assert gateway
    return gateway, "; ".join(news)


def chain(connection: Connection | bool) -> Iterator[Connection]:
    """A connection, and those that it goes through."""
    while isinstance(connection, Connection):
        yield connection
        connection = connection.gateway


def _open_stated(
    node: Node, hop: Target, policy: KnownHosts, gateway: Connection | None, dialled: socket.socket | None
) -> Connection:
    """Where the operator stated a host key, the host is asked for each kind of key until it presents that one."""
    kinds = algorithms(hop)
    if not policy.stated or not kinds:
        return _open(node, hop, policy, gateway, dialled)
    refused: list[ConnectError] = []
    for kind in kinds:
        try:
            return _open(node, replace(hop, host_key_algorithms=(kind,)), policy, gateway, dialled)
        except HostKeyError as error:
            refused.append(error)
        except ConnectError as error:
            if not isinstance(error.__context__, IncompatiblePeer):  # it has no key of this kind
                raise
            refused.append(error)
        dialled = None
    raise min(refused, key=lambda error: not isinstance(error, HostKeyError))


def _open(
    node: Node, hop: Target, policy: KnownHosts, gateway: Connection | None, dialled: socket.socket | None
) -> Connection:
    connection = _Connection(
        hop.host,
        user=hop.user,
        port=hop.port,
        config=_config(),
        gateway=gateway or False,
        connect_timeout=hop.connect_timeout,
        connect_kwargs=_how(node, hop, policy.answers) | ({"sock": dialled} if dialled else {}),
    )
    connection.client.set_missing_host_key_policy(policy)
    if gateway:  # it connects to the next hop, and paramiko would wait for that for an hour
        gateway.transport.channel_timeout = hop.connect_timeout
    try:
        connection.open()
    except BaseException as error:
        for each in chain(connection):
            each.client.close()  # Fabric's own close skips a connection that has not succeeded
        if isinstance(error, LbdeployError) or not isinstance(error, SSHException | OSError | EOFError):
            raise
        raise unreachable(node, hop, error) from None
    return connection


class _Connection(Connection):  # type: ignore[misc]
    """One whose attributes are its own. Fabric's would be settings where its class does not have them.

    They would be written to the settings that all share, merged with the rest, and looked for in `dir()` each time.
    """

    __setattr__ = object.__setattr__


@cache  # connections only read it
def _config() -> Config:
    """Neither fabric.yml nor ~/.ssh/config: `ssh -G` was asked."""
    return Config(lazy=True, ssh_config=SSHConfig())


def _how(node: Node, hop: Target, answers: Answers) -> dict[str, Any]:
    return {
        "auth_strategy": Keys(node, hop, answers),
        "transport_factory": partial(Verified, hop=hop),
        "banner_timeout": ANSWER_SECONDS,
        "auth_timeout": ANSWER_SECONDS,
    }


class Keys(AuthStrategy):  # type: ignore[misc]
    """Tries one key after the other, until the host takes one."""

    def __init__(self, node: Node, hop: Target, answers: Answers) -> None:
        self.node = node
        self.hop = hop
        self.answers = answers

    def authenticate(self, transport: Transport) -> None:
        """Raises LoginError; its `locked` is set where a passphrase may help."""
        found = identities(self.hop, self.answers)
        reason = "none of its keys was taken" if found.keys else "there is no key to log in with"
        for _, key in found.keys:
            reason = self._try(transport, key) or ""
            if not reason:
                return
            if not transport.is_active():
                break
        raise self._error(found, reason)

    def _try(self, transport: Transport, key: PKey) -> str | None:
        """Why the host does not take a key; None where it does."""
        try:
            wanted = transport.auth_publickey(self.hop.user, key)
        except AuthenticationException as error:
            return str(error) or "refused"
        except SSHException as error:
            if not transport.is_active():
                return f"it ended the connection: {error}"
            return str(error)
        return f"{MORE}: {', '.join(wanted)}" if wanted else None

    def _error(self, found: Identities, reason: str) -> LoginError:
        hop = self.hop
        tried = ", ".join(dict.fromkeys(name for name, _ in found.keys)) or "none"
        gone = "".join(f"; {path}, which hosts.toml names, is not there" for path in hop.missing)
        gone += "".join(f"; PubkeyAcceptedAlgorithms does not list that of {name}" for name in found.left_out)
        asked = [] if reason.startswith(MORE) else found.locked  # another key would not do, either
        locked = ", ".join(map(str, asked))
        what = f"{where(hop)} refused the login of {hop.user}: {reason}"
        fix = hop.by_hand.copy_key()
        if locked and found.keys:
            what += f"; {locked} has a passphrase, and was not tried"
        elif locked:
            what = f"no key for {hop.user} on {where(hop)} is without a passphrase, and {locked} has one"
        if locked:
            fix = f"ssh-add {asked[0]}; or run it on a terminal, where it asks"
        state = f"nothing was changed on it; keys tried: {tried}{gone}"
        return LoginError(what, node=self.node.name, state=state, fix=fix, locked=asked)
