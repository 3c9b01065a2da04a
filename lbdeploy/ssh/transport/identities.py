"""The keys to log in with: those of the configuration, from the agent or from files, then what else the agent has."""

from __future__ import annotations

import socket
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from io import StringIO
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko import ECDSAKey, Ed25519Key, Message, PKey, RSAKey, SSHException
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import OPENSSH_AUTH_MAGIC, PublicBlob

from lbdeploy.config.credentials import Answers
from lbdeploy.ssh.config import Target
from lbdeploy.ssh.transport.algorithms import may_log_in
from lbdeploy.ssh.transport.certificates import subject

CLASSES = ((Ed25519PrivateKey, Ed25519Key), (EllipticCurvePrivateKey, ECDSAKey), (RSAPrivateKey, RSAKey))


class LockedKeyError(Exception):
    """A key has a passphrase, which was not given, or was wrong."""


@dataclass
class Identities:
    """`keys` to try, in order, as (name for people, key); `locked` by a passphrase; `left_out`, as not allowed."""

    keys: list[tuple[str, PKey]] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def identities(hop: Target, answers: Answers) -> Identities:
    """The keys to log in with. Those of files come before the agent's others, since hosts limit refusals.

    Before each key come its certificates: CertificateFile, KEY-cert.pub, and the agent's own.
    """
    held = _held(hop.agent)
    found = Identities()
    for path in hop.identity_files:
        own = [key for key in held if _plain(key) == _public(path)]
        held = [key for key in held if key not in own]
        found.keys += [(f"{path} (agent)", each) for key in own for each in _with_certificates(key, hop, path)]
        if not own:
            _add_file(found, path, hop, answers)
    if not hop.identities_only:
        found.keys += [(f"{key.comment} (agent)", each) for key in held for each in _with_certificates(key, hop)]
    found.left_out = [name for name, key in found.keys if not may_log_in(hop, key)]
    found.keys = [(name, key) for name, key in found.keys if may_log_in(hop, key)]
    return found


def unlock(path: Path, passphrase: str | None) -> PKey:
    """The key in a file, in any format that OpenSSH writes. Raises LockedKeyError, OSError, and ValueError."""
    return _key(path.read_bytes(), passphrase)


@lru_cache(maxsize=8)  # a fleet's nodes take the same key
def _key(data: bytes, passphrase: str | None) -> PKey:
    password = passphrase.encode() if passphrase else None
    openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    try:
        key = (load_ssh_private_key if openssh else load_pem_private_key)(data, password)
    except (TypeError, ValueError) as error:
        if isinstance(error, TypeError) or passphrase:
            raise LockedKeyError from None
        raise
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    for kind, ours in CLASSES:
        if isinstance(key, kind):
            text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
            return ours.from_private_key(StringIO(text))
    raise ValueError("a type of key that paramiko does not know")


def _add_file(found: Identities, path: Path, hop: Target, answers: Answers) -> None:
    try:
        key = answers.unlocked.get(path) or unlock(path, None)
    except LockedKeyError:
        found.locked.append(path)
    except (OSError, ValueError, SSHException):
        return  # no key, or one that can't be read: ssh skips it, too
    else:
        found.keys += [(str(path), each) for each in _with_certificates(key, hop, path)]


class _Agent(AgentSSH):  # type: ignore[misc]
    """An agent at a given socket, rather than at the one that the environment names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)  # it may ask its owner, for a touch perhaps
        connection.connect(str(path))
        self._connect(connection)


class _Held(AgentKey):  # type: ignore[misc]
    """An agent's key, named by the very blob that the agent listed: for a certificate, paramiko sends the plain key."""

    def asbytes(self) -> bytes:
        blob: bytes = self.blob
        return blob


def _held(path: Path | None) -> list[AgentKey]:
    if not path:
        return []
    try:
        return [_Held(key.agent, key.blob, key.comment) for key in _Agent(path).get_keys()]
    except (OSError, SSHException):
        return []  # the agent is gone


def _with_certificates(key: PKey, hop: Target, path: Path | None = None) -> Iterator[PKey]:
    """The key with each certificate for it, then the key itself. The host decides which one it accepts."""
    beside = [path.with_name(f"{path.name}-cert.pub")] if path else []
    for file in dict.fromkeys((*hop.certificates, *filter(Path.is_file, beside))):
        with suppress(OSError, ValueError, UnsupportedAlgorithm):
            blob = PublicBlob.from_file(str(file))
            if subject(blob) == key.asbytes():
                yield _certified(key, blob)
    yield key


def _certified(key: PKey, blob: PublicBlob) -> PKey:
    held = isinstance(key, AgentKey)  # copy() would recurse: a bare copy looks up its inner_key in itself
    certified = _Held(key.agent, key.blob, key.comment) if held else copy(key)
    certified.public_blob = blob
    return certified


def _plain(key: AgentKey) -> bytes | None:
    """The public key, without the certificate that it may be in."""
    with suppress(ValueError, UnsupportedAlgorithm):
        return subject(PublicBlob(key.get_name(), key.blob))
    return None


def _public(path: Path) -> bytes | None:
    """The public key of a private key's file: beside it, or in it, where it is not encrypted."""
    readers: Sequence[Callable[[], bytes]] = (
        lambda: PublicBlob.from_file(f"{path}.pub").key_blob,
        lambda: PublicBlob.from_file(str(path)).key_blob,
        lambda: _head(path.read_bytes()),
    )
    for read in readers:
        with suppress(OSError, ValueError, SSHException):
            return read()
    return None


def _head(data: bytes) -> bytes:
    """The public key in a private key of OpenSSH's format (PROTOCOL.key). Raises ValueError for any other format."""
    head = b64decode(b"".join(data.strip().splitlines()[1:-1]), validate=True)
    if not head.startswith(OPENSSH_AUTH_MAGIC):
        raise ValueError("another format")
    message = Message(head.removeprefix(OPENSSH_AUTH_MAGIC))
    for _ in range(3):  # cipher, key derivation function, its options
        message.get_binary()
    message.get_int()
    key: bytes = message.get_binary()
    return key
