"""RevokedHostKeys of ssh_config(5): a file of keys that nobody may accept any more, as text or as a KRL."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

from paramiko import PKey

from lbdeploy.ssh.config import environment
from lbdeploy.ssh.transport.certificates import authority

KRL = b"SSHKRL\n\0"  # what such a file begins with (OpenSSH's PROTOCOL.krl)


def revoked(file: Path, key: PKey) -> str | None:
    """Why a key that a host presents is not accepted; None where the file does not revoke it.

    As with ssh, a file that can't be read or parsed counts as revoking every key.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        return f"can't be checked: {file}: {error.strerror}"
    try:
        against = _in_krl(file, key) if content.startswith(KRL) else _in_text(content, key)
    except ValueError:
        return f"can't be checked: {file} is damaged"
    return f"is revoked by {file}" if against else None


def _in_krl(file: Path, key: PKey) -> bool:
    """Whether ssh-keygen finds it there; a certificate also by its serial number, key ID, and its authority's key."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".pub") as shown:
        blob = key.public_blob
        kind, data = (blob.key_type, blob.key_blob) if blob else (key.get_name(), key.asbytes())
        shown.write(f"{kind} {b64encode(data).decode()}\n")
        shown.flush()
        argv = ["ssh-keygen", "-Q", "-f", str(file), shown.name]
        asked = subprocess.run(
            argv, capture_output=True, check=False, encoding="utf-8", errors="replace", env=environment()
        )
    if asked.returncode and "REVOKED" not in asked.stdout:
        raise ValueError(asked.stderr)
    return asked.returncode != 0


def _in_text(content: bytes, key: PKey) -> bool:
    """Whether the key is on one of the lines, or the key of the authority that has signed its certificate."""
    shown = {key.get_base64(), authority(key.public_blob) if key.public_blob else None}
    lines = [line.split() for line in content.decode(errors="replace").splitlines()]
    keys = [words for words in lines if words and not words[0].startswith("#")]
    for words in keys:
        b64decode((*words, "", "")[1] or "-", validate=True)  # raises ValueError for a line that is no key
    return any(words[1] in shown for words in keys)
