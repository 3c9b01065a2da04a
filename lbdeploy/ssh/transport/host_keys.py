"""Host keys: a host must prove its identity by known_hosts, or nothing is sent to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from paramiko import MissingHostKeyPolicy, PKey, SSHClient

from lbdeploy.common.shell import cmd
from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node
from lbdeploy.errors import HostKeyError, NewKey
from lbdeploy.ssh.config import Known, Target
from lbdeploy.ssh.connect import where
from lbdeploy.ssh.known_hosts import fingerprint, forget, keys_of, known_name, remember
from lbdeploy.ssh.transport.algorithms import refused, restrict
from lbdeploy.ssh.transport.bounded import Bounded
from lbdeploy.ssh.transport.certificates import SUFFIX, authority, complaint
from lbdeploy.ssh.transport.revocation import revoked

# Algorithms that paramiko can verify, in OpenSSH's order, and the key types that go with them (RFC 8332 for RSA).
TYPES = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "rsa-sha2-512": "ssh-rsa",
    "rsa-sha2-256": "ssh-rsa",
}


def algorithms(hop: Target) -> tuple[str, ...]:
    """Host key algorithms to ask for: first those that known_hosts can prove; none that HostKeyAlgorithms omits."""
    known = {line.type for line in hop.known if not line.marker}
    certified = any(line.marker == "@cert-authority" for line in hop.known)
    wanted = hop.host_key_algorithms or (*(name + SUFFIX for name in TYPES), *TYPES)
    certificates = [name for name in wanted if name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in TYPES]
    plain = sorted((name for name in wanted if name in TYPES), key=lambda name: TYPES[name] not in known)
    return (*(certificates if certified else ()), *plain)


class Verified(Bounded):
    """A transport that asks the host for keys that can be verified, and offers only algorithms that are allowed."""

    def __init__(self, *args: Any, hop: Target, **more: Any) -> None:
        self._wanted = algorithms(hop)
        super().__init__(*args, **more | {"disabled_algorithms": {"pubkeys": refused(hop)}})
        restrict(self, hop)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self._wanted


class KnownHosts(MissingHostKeyPolicy):  # type: ignore[misc]
    """Accepts only keys that known_hosts proves, or new ones where that is allowed. paramiko, given none, always asks.

    `news` is what the operator should hear of it. `stated`: a fingerprint that the operator gave, of the only key that
    is accepted, whatever known_hosts has; that key then replaces what known_hosts had.
    """

    def __init__(self, node: Node, hop: Target, answers: Answers, stated: str = "") -> None:
        self.node = node
        self.hop = hop
        self.answers = answers
        self.stated = stated
        self.news = ""

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Raise HostKeyError unless the key is known and not revoked, or is new and may be accepted."""
        plain = [line for line in self.hop.known if not line.marker]
        self._refuse_revoked(key)
        if self.stated:
            self._replace(key, plain)
            return
        if self._certified(key) or key.get_base64() in [line.key for line in plain]:
            return
        if plain:
            raise self._error("has changed", key, self._if_reinstalled(key), plain)
        self._meet(key)

    def _authority(self, key: PKey) -> str | None:
        """The key of the authority that signed the certificate a host presents; None where it presents none."""
        try:
            return authority(key.public_blob) if key.public_blob else None
        except (ValueError, UnsupportedAlgorithm):
            raise self._error("is not proven: its certificate can't be read", key, "have it renewed, on it") from None

    def _refuse_revoked(self, key: PKey) -> None:
        shown = (key.get_base64(), self._authority(key))
        if any(line.marker == "@revoked" and line.key in shown for line in self.hop.known):
            raise self._error("is revoked", key, "do not log in; find out who answers there")
        for file in self.hop.revoked_in:
            if why := revoked(file, key):
                raise self._error(why, key, "do not log in; find out who answers there, and what RevokedHostKeys says")

    def _certified(self, key: PKey) -> bool:
        """Whether a trusted authority has certified the host. A certificate of any other counts as a plain key."""
        trusted = [line.key for line in self.hop.known if line.marker == "@cert-authority"]
        if self._authority(key) not in trusted:
            return False
        name = self.hop.host if self.hop.key_name.startswith("[") else self.hop.key_name
        wrong = complaint(key.public_blob, name, self.hop.authority_algorithms)
        if wrong:
            raise self._error(f"is not proven: its certificate {wrong}", key, "have its certificate renewed, on it")
        return True

    def _meet(self, key: PKey) -> None:
        """Accept a new key where that is allowed. Raises HostKeyError."""
        hop = self.hop
        new = _new_key(hop, key)
        if (new.name, new.key) in self.answers.accepted:
            return
        if not self.answers.accept_new and hop.new_keys != "accept":
            compare = "compare the fingerprint on the node's console, then"
            ask = new if hop.new_keys == "ask" else None
            raise self._error("is unknown", key, f"{compare} try again with --accept-new", new=ask)
        self.answers.accepted.add((new.name, new.key))
        self.news = f"its new host key was accepted: {new.kind} {fingerprint(new.key)}"
        write(new)

    def _replace(self, key: PKey, known: Sequence[Known]) -> None:
        """Accept the key that the operator stated, and let known_hosts have it alone. Raises HostKeyError."""
        if fingerprint(key.get_base64()) != self.stated:
            fix = "compare with what its console shows: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            raise self._error(f"is not {self.stated}, as stated", key, fix, known)
        if key.get_base64() in [line.key for line in known]:
            return
        with _writing(where(self.hop)):
            names = [self.hop.key_name, *self._other_names({line.key for line in known})]
            for file, name in product(self.hop.known_hosts_files if known else (), names):
                forget(file, name)
        for name in names:
            write(replace(_new_key(self.hop, key), name=name))
        self.news = f"its host key is {key.get_name()} {self.stated} from now on"

    def _other_names(self, keys: set[str]) -> list[str]:
        """The node's other names and addresses for which known_hosts has one of these keys: they mean the same host.

        A change of VRRP's network, say, has lbdeploy log in to another one of its addresses.
        """
        node, hop = self.node, self.hop
        names = (node.name, node.host, *map(str, node.addresses.values()))
        others = {known_name(name, hop.port) for name in names} - {hop.key_name}
        return sorted(name for name in others if any(keys & keys_of(file, name) for file in hop.known_hosts_files))

    def _no_file(self) -> str:
        file = self.hop.remember_in
        return f"{file}, which is not there" if file else "no known_hosts file"

    def _if_reinstalled(self, key: PKey) -> str:
        """What to type if the key has changed because the host was reinstalled."""
        if self.hop.host != self.node.host:
            return f"only if it was reinstalled: {self._forget()}"
        again = f"lbdeploy rebuild {self.node.name} --host-key {fingerprint(key.get_base64())}"
        return f"only if it was reinstalled, and its console shows the new key: {again}"

    def _forget(self) -> str:
        return "; ".join(cmd("ssh-keygen", "-f", file, "-R", self.hop.key_name) for file in self.hop.known_hosts_files)

    def _error(
        self, what: str, key: PKey, fix: str, known: Sequence[Known] = (), new: NewKey | None = None
    ) -> HostKeyError:
        files = ", ".join(map(str, self.hop.known_hosts_files)) or self._no_file()
        expected = "".join(f"; known is {line.type} {fingerprint(line.key)}" for line in known)
        shown = f"it shows {key.get_name()} {fingerprint(key.get_base64())}"
        return HostKeyError(
            f"the host key of {where(self.hop)} {what}: {shown}{expected}",
            node=self.node.name,
            state=f"nothing was sent to it; looked in {files}",
            fix=fix,
            new=new,
        )


def _new_key(hop: Target, key: PKey) -> NewKey:
    return NewKey(where(hop), hop.key_name, key.get_name(), key.get_base64(), hop.remember_in, hashed=hop.hash_names)


def write(new: NewKey) -> None:
    """Add a key to known_hosts. Raises HostKeyError where the file can't be written."""
    with _writing(new.host):
        if new.file:
            remember(new.file, new.name, 22, new.kind, new.key, hashed=new.hashed)


@contextmanager
def _writing(host: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HostKeyError(
            f"the host key of {host} can't be written to {error.filename}: {error.strerror}",
            state="nothing was sent to it",
            fix="fix that, or name another file: known_hosts_file, below [ssh] in hosts.toml",
        ) from None
