"""The files that hosts.toml names, read from beside it: scripts, sections of haproxy.cfg, certificates of a CA, keys
of apt repositories.

Scripts are refused where no node could run them. Keys are armored if they are binary: an armored key is text, like
everything that lbdeploy writes, and can be shown in a diff; apt reads it since 1.4.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lbdeploy.common.paths import home_expanded, shown
from lbdeploy.config.loading.named_file import contents
from lbdeploy.config.model import NOTIFIED
from lbdeploy.errors import Problem

if TYPE_CHECKING:
    # Importing it would import pydantic, which `reader` imports without its plugins.
    from lbdeploy.config.schema import HaproxyTable, VrrpTable

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?")
LARGEST = 200_000  # bytes; a CA has a few certificates, and a bundle of all public CAs does not belong in a check

BEGIN, END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"

LONGEST = 256 * 1024  # bytes; every look reads all of it from each node, and a change sends it there


def named(vrrp: VrrpTable | None) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key that names a script, with its value."""
    if vrrp:
        yield from (
            (("vrrp", "track_scripts", name, "script"), each.script) for name, each in vrrp.track_scripts.items()
        )
        for key in ("notify", *NOTIFIED.values()):
            yield from [(("vrrp", key), path)] if (path := getattr(vrrp, key)) else []


def read(folder: Path, vrrp: VrrpTable | None, texts: dict[str, str]) -> Iterator[Problem]:
    """Put the text of each script into `texts`, by its path below `folder`, where it is not there already.

    Yields what is wrong with it.
    """
    for key, path in named(vrrp):
        if path not in texts:
            wrong = _read(folder / path, path, texts)
            if wrong:
                yield Problem("unusable-script", key, *wrong)


def _read(file: Path, path: str, texts: dict[str, str]) -> tuple[str, str] | None:
    return _text(file, path, texts) or _unusable(path, texts[path])


def _text(file: Path, path: str, texts: dict[str, str]) -> tuple[str, str] | None:
    """Put the text of a file into `texts`, or say why there is none."""
    try:
        content = contents(file, LONGEST)
        # A larger one, which is refused later, may be cut off within a character.
        text = content.decode(errors="strict" if len(content) <= LONGEST else "replace")
    except FileNotFoundError:
        return f"there is no {path} beside hosts.toml", "write it, or correct the path: it is relative to hosts.toml"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}", "name a file that you may read"
    except UnicodeDecodeError:
        return (
            f"{path} is not text in UTF-8",
            "name a script, or a configuration; programs are installed on the nodes by other means",
        )
    texts[path] = text
    return None


def _unusable(path: str, text: str) -> tuple[str, str] | None:
    """Why a script can't be run by the kernel (execve(2), Interpreter scripts), or put on a node; "" if it can."""
    first = text.partition("\n")[0]
    if not text.strip():
        return f"{path} is empty", "write the script, beginning with #!/bin/sh"
    if len(text.encode()) > LONGEST or "\0" in text:
        return f"{path} is no script: it has NUL bytes, or more than {LONGEST >> 10} KiB", "name a script"
    if not first.startswith("#!/"):
        return f"{path} does not begin with #! and an interpreter", "begin it with a line like #!/bin/sh"
    if first.endswith("\r"):
        return f"{path} has the line ends of Windows, with which no interpreter is found", "save it with those of Unix"
    return None


def own_sections(folder: Path, haproxy: HaproxyTable, texts: Mapping[str, str]) -> list[str]:
    """The files with sections of haproxy.cfg, each once: those that `texts` holds, and those below `folder`."""
    found = (each for pattern in haproxy.extra for each in _named_by(pattern, folder, texts))
    return list(dict.fromkeys(found))


def matching(folder: Path, pattern: str) -> list[str]:
    """The files below `folder` of a name, or of a pattern; hidden ones are left out, as a shell does."""
    beside, _, name = pattern.rpartition("/")
    found = (each.name for each in (folder / beside).glob(name) if not each.name.startswith("."))
    return sorted(f"{beside}/{each}" if beside else each for each in found)


def read_sections(folder: Path, haproxy: HaproxyTable | None, texts: dict[str, str]) -> Iterator[Problem]:
    """Put the text of each file with sections into `texts`. Yields what is wrong with one."""
    for index, pattern in enumerate(haproxy.extra if haproxy else ()):
        key = ("haproxy", "extra", str(index))
        paths = _named_by(pattern, folder, texts)
        if not paths:
            fix = "write one there, or correct the pattern: it is relative to hosts.toml"
            yield Problem("no-sections", key, f"no file is {pattern}", fix)
        for path in (each for each in paths if each not in texts):
            if wrong := _text(folder / path, path, texts) or _no_sections(path, texts[path]):
                yield Problem("unusable-sections", key, *wrong)


def _named_by(pattern: str, folder: Path, texts: Mapping[str, str]) -> list[str]:
    if "*" not in pattern:
        return [pattern]
    like = re.compile(re.escape(pattern).replace(r"\*", "[^/]*"))
    return sorted({*matching(folder, pattern), *(each for each in texts if like.fullmatch(each))})


def _no_sections(path: str, text: str) -> tuple[str, str] | None:
    if not text.strip():
        return f"{path} is empty", "write a section of haproxy.cfg, such as listen NAME, or remove it"
    if len(text.encode()) > LONGEST or "\0" in text:
        return f"{path} is no configuration: it has NUL bytes, or more than {LONGEST >> 10} KiB", "name another file"
    if "\r" in text:
        return f"{path} has the line ends of Windows", "save it with those of Unix"
    return None


class KeyFileError(Exception):
    """A key that can't be used: what is wrong, and what would be right."""


def armored(folder: Path, name: str) -> str:
    """The key in that file, as ASCII armor. Raises KeyFileError (what is wrong, what would be right)."""
    path = folder / home_expanded(name)
    try:
        data = contents(path, LONGEST)
    except OSError as error:
        fix = "name a file that is there, by its path relative to hosts.toml"
        raise KeyFileError(f"{shown(path)} can't be read: {error.strerror}", fix) from None
    if len(data) > LONGEST:
        raise KeyFileError(
            f"{shown(path)} is larger than {LONGEST >> 10} KiB", "give the repository's public key alone"
        )
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


def certificates(path: Path) -> str:
    """The certificates in a PEM file (RFC 7468 section 5), nothing else in it. Raises ValueError with a message."""
    text = _pem(path)
    if "PRIVATE KEY" in text:  # everybody on a node can read what lies beside haproxy.cfg
        raise ValueError(f"{shown(path)} holds a private key, which must not leave this machine")
    found = [each.rstrip("\n") + "\n" for each in _CERTIFICATE.findall(text)]
    if not found or not _readable("".join(found)):
        raise ValueError(f"{shown(path)} holds no certificate in PEM that can be read")
    return "".join(found)


def _pem(path: Path) -> str:
    """The text of a PEM file, with the line ends of Unix. Raises ValueError with a message."""
    try:
        content = contents(path, LARGEST)
        if len(content) > LARGEST:
            raise ValueError(f"{shown(path)} is larger than {LARGEST // 1000} kB")
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise ValueError(f"{shown(path)} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{shown(path)} is not PEM, which is text") from None


def _readable(pem: str) -> bool:
    import ssl  # needed only for files that name a CA

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except ssl.SSLError:
        return False
    return True
