"""Writing known_hosts: a host's key is added or removed as OpenSSH does it; every other line is left unchanged.

Reading is left to `ssh-keygen -F` (see `lbdeploy.ssh.config`), but for files in which nothing but plain names stands
before the keys. The format is sshd(8)'s, SSH_KNOWN_HOSTS FILE FORMAT.

Several processes may write at once, as in a fleet of new hosts: each holds a lock on the file (flock(2)) from
reading it until it is written. OpenSSH takes no such lock, so what ssh appends in that instant can still be lost.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from lbdeploy.common.shell import nonce

HASHED = "|1|"
SPECIAL = b"|@*?!"  # hashed names, markers, wildcards and negations have one of these
LOCK_SECONDS = 10.0  # seconds to wait for a process that has the file locked; one needs milliseconds
# Errors of a file system without locks: then the file is written without one, as ssh does.
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF)


def known_name(host: str, port: int = 22) -> str:
    """A host's name in known_hosts: in lower case, and with the port where that is not 22."""
    name = host.lower()
    return name if port == 22 else f"[{name}]:{port}"


def fingerprint(key: str) -> str:
    """A key (base64, as in known_hosts) as OpenSSH shows it: SHA256 and unpadded base64. Raises ValueError."""
    digest = hashlib.sha256(b64decode(key, validate=True)).digest()
    return "SHA256:" + b64encode(digest).decode().rstrip("=")


def plain_lines(file: Path, name: str) -> list[str] | None:
    """The lines about a host; None where the file has more than plain names before its keys, or can't be read."""
    try:
        by_name = _by_name(file.read_bytes())
    except OSError:
        return None
    return None if by_name is None or name != name.lower() else by_name.get(name, [])


@lru_cache(maxsize=4)  # a fleet's hosts are in one file, which would be read line by line for each of them
def _by_name(content: bytes) -> dict[str, list[str]] | None:
    """The lines of each name; None where the file has more than plain names before its keys."""
    lines = [line for line in content.split(b"\n") if line.strip() and line.strip()[:1] != b"#"]
    written = [line.split(maxsplit=1)[0] for line in lines]
    if any(each in b"".join(written) for each in SPECIAL):
        return None
    found: dict[str, list[str]] = {}
    for line, names in zip(lines, written, strict=True):
        for name in dict.fromkeys(names.decode(errors="replace").lower().split(",")):
            found.setdefault(name, []).append(line.decode(errors="replace"))
    return found


def remember(file: Path, host: str, port: int, kind: str, key: str, *, hashed: bool = False) -> None:
    """Add a host's key (its type, and base64) to a file, which is created if missing. Raises OSError.

    Does nothing where the file has such a line already. `hashed`: as with HashKnownHosts of ssh_config(5).
    """
    name = known_name(host, port)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(file, os.O_RDWR | os.O_CREAT):
        lines = _lines(file)
        if any(_names(line, name) and line.split()[1:3] == [kind.encode(), key.encode()] for line in lines):
            return
        start = "\n" if lines and not lines[-1].endswith(b"\n") else ""
        _append(file, f"{start}{hash_name(name) if hashed else name} {kind} {key}\n")


def forget(file: Path, host: str, port: int = 22) -> int:
    """Remove every key of this one host from a file; returns the number of lines that had one. Raises OSError.

    Other names on these lines stay, and so do patterns, @cert-authority and @revoked: they concern more than this host.
    """
    name = known_name(host, port)
    # Nothing to remove: the file may be missing, or writable by root only.
    if not any(_names(line, name) for line in _lines(file)):
        return 0
    with _locked(file, os.O_RDWR if os.access(file, os.W_OK) else os.O_RDONLY):
        lines = _lines(file)
        found = [line for line in lines if _names(line, name)]
        if found:
            _replace(file, b"".join(_without(line, name) if line in found else line for line in lines))
        return len(found)


def keys_of(file: Path, host: str, port: int = 22) -> set[str]:
    """The keys (base64) that a file assigns to exactly this host; those of markers do not count. Raises OSError."""
    name = known_name(host, port)
    lines = (line.split() for line in _lines(file) if _names(line, name))
    return {words[2].decode(errors="replace") for words in lines if len(words) > 2}


def hash_name(name: str, salt: bytes | None = None) -> str:
    """A name, hashed as by HashKnownHosts: |1|salt|HMAC-SHA1."""
    salt = salt or os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"{HASHED}{b64encode(salt).decode()}|{b64encode(digest).decode()}"


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True) if file.exists() else []


def _names(line: bytes, name: str) -> bool:
    """Whether a line assigns a key to exactly this name, alone, in a list or hashed."""
    names = line.split(maxsplit=1)[:1]
    return bool(names) and any(_is(each, name) for each in names[0].split(b","))


def _is(written: bytes, name: str) -> bool:
    text = written.decode(errors="replace")
    if not text.startswith(HASHED):
        return text.lower() == name
    salt = text.split("|")[2]
    with suppress(ValueError):
        return hmac.compare_digest(hash_name(name, b64decode(salt, validate=True)), text)
    return False


def _without(line: bytes, name: str) -> bytes:
    """The line without this name; empty where only negated patterns would be left."""
    names, rest = line.split(maxsplit=1)
    others = [each for each in names.split(b",") if not _is(each, name)]
    if all(each.startswith(b"!") for each in others):
        return b""
    return b",".join(others) + b" " + rest


@contextmanager
def _locked(file: Path, flags: int) -> Iterator[None]:
    """Keep every other process, and thread, that writes the file as this module does from doing so. Raises OSError."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        number = os.open(file, flags, 0o600)
        try:
            _lock(number, file, deadline)
            if _is_still(file, number):
                yield
                return
        finally:
            os.close(number)


def _lock(number: int, file: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                why = f"another process has had it locked for {LOCK_SECONDS:.0f} s"
                raise TimeoutError(errno.ETIMEDOUT, why, str(file)) from None
            time.sleep(0.002)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            return
        else:
            return


def _is_still(file: Path, number: int) -> bool:
    """Whether the path still leads to the open file, which another process may have replaced meanwhile."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(file), os.fstat(number))
    return False


def _append(file: Path, text: str) -> None:
    """Append in one write, as OpenSSH does, so that what another program appends at the same time is not lost."""
    number = os.open(file, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(number, text.encode())
    finally:
        os.close(number)


def _replace(file: Path, content: bytes) -> None:
    """Replace the whole file by a rename, keeping mode and owner; a symbolic link stays one."""
    target = file.resolve()
    before = target.stat()
    new = target.with_name(f".{target.name}.{nonce()}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        with suppress(PermissionError):
            os.chown(new, before.st_uid, before.st_gid)
        new.chmod(before.st_mode & 0o7777)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
