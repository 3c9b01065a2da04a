"""Keys of apt repositories: read from beside hosts.toml, and armored if they are binary.

An armored key is text, like everything that lbdeploy writes, and can be shown in a diff; apt reads it since 1.4.
"""

from __future__ import annotations

import base64
from pathlib import Path

from lbdeploy.errors import shown


class KeyFileError(Exception):
    """A key that can't be used: what is wrong, and what would be right."""


BEGIN, END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"


def armored(folder: Path, name: str) -> str:
    """The key in that file, as ASCII armor. Raises KeyFileError (what is wrong, what would be right)."""
    path = folder / Path(name).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        fix = "name a file that is there, by its path relative to hosts.toml"
        raise KeyFileError(f"{shown(path)} can't be read: {error.strerror}", fix) from None
    text = data.decode("ascii", errors="replace").replace("\r\n", "\n")
    if BEGIN in text and END in text and "PRIVATE" not in text and "\ufffd" not in text:
        return text.rstrip("\n") + "\n"
    if not _is_public_key(data):
        fix = "give the repository's public key, as `gpg --export` writes it, with --armor or without"
        raise KeyFileError(f"{shown(path)} is not a public key of OpenPGP", fix)
    lines = base64.b64encode(data).decode()
    body = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    checksum = base64.b64encode(_crc24(data).to_bytes(3, "big")).decode()
    return f"{BEGIN}\n\n{body}\n={checksum}\n{END}\n"


def _is_public_key(data: bytes) -> bool:
    """Whether it begins with a packet of tag 6, in the old format or the new (RFC 9580, section 4.2)."""
    return bool(data) and ((data[0] & 0xFC) == 0x98 or data[0] == 0xC6)


def _crc24(data: bytes) -> int:
    """RFC 9580, section 6.1.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc & 0xFFFFFF
