"""What was worked out before, kept for the next run in the user's cache folder. It may be deleted at any time.

An entry is found by a key that is made of everything that it depends on, so it is never out of date, and it is JSON, so
that reading it runs no code. Folder and entry count only where they are this user's and nobody else could have written
them. Without a folder that can be used, everything is worked out anew: that is no error. See decision 59.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from lbdeploy.common.paths import PACKAGE, of_user, shipped
from lbdeploy.common.version import __version__

KEPT = 5000  # entries, most of some kB: three a cluster of a fleet; the oldest are deleted
EVERY = 100  # entries that a run adds before it looks for too many again: that reads the whole folder
LARGEST = 1_000_000  # bytes of an entry
_added = count()
WORKED_OUT_BY = ("common", "config", "planning", "node")  # the packages that decide what is kept


def folder() -> Path:
    """Where entries are kept."""
    return of_user("XDG_CACHE_HOME", "~/.cache")


def key(*facts: object) -> str:
    """The key of what depends on these facts, which are JSON, on lbdeploy's code and on Python."""
    return digest(json.dumps([__version__, sys.version, _code(), *facts]).encode())


def digest(data: bytes) -> str:
    """A digest that nobody can find a second text for."""
    try:
        from _blake2 import blake2b  # hashlib's own; hashlib itself would load OpenSSL, too: 2 ms
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=32).hexdigest()


def recall(key: str) -> Any:
    """What was kept by this key; None where nothing was, or where somebody else could have written it."""
    try:
        with _opened(folder()) as place, open(_entry(place, key), "rb") as file:
            written, value = json.loads(file.read(LARGEST))
            return value if written == key else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def keep(key: str, value: Any) -> None:
    """Keep a value, which is JSON, for whoever asks for this key. Where that can't be done, nothing is kept."""
    data = json.dumps([key, value], separators=(",", ":")).encode()
    if len(data) > LARGEST:
        return
    with suppress(OSError):
        _make(folder())
        with _opened(folder()) as place:
            _write(place, key, data)
            if next(_added) % EVERY == 0:
                _delete_oldest(place)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The folder itself, whatever its path leads to later. Raises PermissionError where others could write there."""
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _require_own(place, stat.S_IFDIR)
        yield place
    finally:
        os.close(place)


def _entry(place: int, key: str) -> int:
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write.
    entry = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    try:
        _require_own(entry, stat.S_IFREG)
    except PermissionError:
        os.close(entry)
        raise
    return entry


def _require_own(opened: int, kind: int) -> None:
    found = os.fstat(opened)
    if stat.S_IFMT(found.st_mode) != kind or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError


def _make(path: Path) -> None:
    """Make the folder, and the one around it; but not in what is somebody else's, as under `sudo`.

    He could not use it then.
    """
    for each in (path.parent, path):
        if not each.exists() and each.parent.stat().st_uid == os.geteuid():
            each.mkdir(mode=0o700, exist_ok=True)


def _write(place: int, key: str, data: bytes) -> None:
    """Write an entry all at once: another run may read it, or write it, too."""
    new = f"{os.getpid()}-{time.monotonic_ns()}"
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=place), "wb") as file:
            file.write(data)
        os.replace(new, key, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        with suppress(OSError):
            os.unlink(new, dir_fd=place)
        raise


def _delete_oldest(place: int) -> None:
    """Also what a run left behind that was killed while it wrote."""
    with os.scandir(place) as found:
        entries = list(found)
    if len(entries) > KEPT:
        for each in sorted(entries, key=_written)[:-KEPT]:
            with suppress(OSError):
                os.unlink(each.name, dir_fd=place)


def _written(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:  # another run has deleted it
        return 0.0


@cache
def _code() -> list[tuple[str, int, int]]:
    """Lbdeploy's code and templates, by size and time: in a checkout they change, and the version does not."""
    places = [*(str(PACKAGE / each) for each in WORKED_OUT_BY), str(shipped("templates"))]
    return [found for place in places for found in _files(place)]


def _files(place: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(place) as found:
        for each in sorted(found, key=lambda entry: entry.name):
            if each.is_dir():
                yield from _files(each.path) if each.name != "__pycache__" else ()
            else:
                yield each.path, (seen := each.stat()).st_size, seen.st_mtime_ns
