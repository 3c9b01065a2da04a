"""Host keys: a node is who known_hosts says it is, or nobody talks to it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from paramiko import MissingHostKeyPolicy, PKey, SSHClient

from lbdeploy.dial import where
from lbdeploy.errors import HostKeyError
from lbdeploy.model import Node
from lbdeploy.sshconfig import Known, Target

# Types of keys in known_hosts, and the algorithms that hosts offer them by (RFC 8332 for RSA).
ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
}


def unknown_types(hop: Target) -> list[str]:
    """Algorithms that the host must not use, so that it shows a key that known_hosts has; none where it has none."""
    known = {line.type for line in hop.known if not line.marker} or set(ALGORITHMS)
    return [name for kind, names in ALGORITHMS.items() if kind not in known for name in names]


class KnownHosts(MissingHostKeyPolicy):  # type: ignore[misc]
    """Accepts exactly the keys that known_hosts has. paramiko asks it about every key, as it is given none itself."""

    def __init__(self, node: Node, hop: Target) -> None:
        self.node = node
        self.hop = hop

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Raise HostKeyError unless the key is known and not revoked."""
        matching = {line.marker for line in self.hop.known if line.key == key.get_base64()}
        if matching == {""}:
            return
        if "@revoked" in matching:
            raise self._error("is revoked", key, "do not log in; find out who answers there")
        plain = [line for line in self.hop.known if not line.marker]
        if plain:
            raise self._error("has changed", key, f"only if it was reinstalled: {self._forget()}", plain)
        ssh = f"ssh -p {self.hop.port} {self.hop.user}@{self.hop.host}"
        raise self._error("is unknown", key, f"compare the fingerprint on the node's console, then log in once: {ssh}")

    def _forget(self) -> str:
        name = f"'{self.hop.known_name}'" if self.hop.port != 22 else self.hop.known_name
        return "; ".join(f"ssh-keygen -f {path} -R {name}" for path in self.hop.known_hosts_files)

    def _error(self, what: str, key: PKey, fix: str, known: Sequence[Known] = ()) -> HostKeyError:
        files = ", ".join(map(str, self.hop.known_hosts_files)) or "no known_hosts file"
        expected = "".join(f"; known is {line.type} {_fingerprint(base64.b64decode(line.key))}" for line in known)
        shown = f"it shows {key.get_name()} {_fingerprint(key.asbytes())}"
        return HostKeyError(
            f"the host key of {where(self.hop)} {what}: {shown}{expected}",
            node=self.node.name,
            state=f"nothing was sent to it; looked in {files}",
            fix=fix,
        )


def _fingerprint(blob: bytes) -> str:
    """As OpenSSH shows it: SHA256 and unpadded base64."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
