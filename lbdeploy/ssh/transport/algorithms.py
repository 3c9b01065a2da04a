"""The algorithms that a connection may use: of those that ssh_config(5) allows, the ones that paramiko has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from paramiko import PKey, Transport

from lbdeploy.errors import ConnectError
from lbdeploy.ssh.config import Target
from lbdeploy.ssh.connect import where
from lbdeploy.ssh.transport.certificates import SUFFIX

RSA = ("rsa-sha2-512", "rsa-sha2-256")  # how a key of type ssh-rsa may sign (RFC 8332)
SAME = {"curve25519-sha256": "curve25519-sha256@libssh.org"}  # RFC 8731, section 1: one method, two names


def restrict(transport: Transport, hop: Target) -> None:
    """Offer the host what Ciphers, MACs and KexAlgorithms list, in their order. Raises ConnectError if none is left."""
    options = transport.get_security_options()
    options.ciphers = _common(hop, "Ciphers", hop.ciphers, options.ciphers)
    options.digests = _common(hop, "MACs", hop.macs, options.digests)
    options.kex = _common(hop, "KexAlgorithms", [SAME.get(each, each) for each in hop.key_exchanges], options.kex)


def refused(hop: Target) -> list[str]:
    """RSA signature algorithms that PubkeyAcceptedAlgorithms lists neither for keys nor for certificates."""
    return [name for name in RSA if hop.public_keys and not {name, name + SUFFIX} & {*hop.public_keys}]


def may_log_in(hop: Target, key: PKey) -> bool:
    """Whether PubkeyAcceptedAlgorithms lists an algorithm with which a key, or its certificate, can be used."""
    blob = key.public_blob
    kind = blob.key_type if blob else key.get_name()
    suffix = SUFFIX if kind.endswith(SUFFIX) else ""
    plain = kind.removesuffix(SUFFIX)
    ways = RSA if plain == "ssh-rsa" else (plain,)
    return not hop.public_keys or any(f"{way}{suffix}" in hop.public_keys for way in ways)


def _common(hop: Target, keyword: str, allowed: Sequence[str], ours: Collection[str]) -> tuple[str, ...]:
    """The allowed algorithms that paramiko has; all that it has if ssh_config sets none. Raises ConnectError."""
    common = tuple(dict.fromkeys(name for name in allowed if name in ours))
    if common or not allowed:
        return common or tuple(ours)
    raise ConnectError(
        f"{keyword} for {where(hop)} in ssh_config lists nothing that lbdeploy can do: {', '.join(allowed)}",
        node=None,  # the caller knows which
        state="nothing was sent to it",
        fix=f"list one of these there, too: {', '.join(ours)}",
    )
