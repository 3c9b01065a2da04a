"""The contents of a file that hosts.toml names."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def contents(path: Path, largest: int) -> bytes:
    """Its contents; of a larger file, the first `largest` + 1 bytes. Raises OSError, also for what is no regular file.

    A node can store a hosts.toml that names anything on this machine. Opening a pipe would wait for ever, reading
    /dev/zero would fill the memory, and some devices do something when they are opened: so it is looked at before.
    """
    _refuse_others(path)
    with open(path, "rb", opener=_without_waiting) as file:
        _refuse_others(file.fileno())  # it may be another one by now
        return file.read(largest + 1) or b""  # None where a file of /proc would have to be waited for


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _refuse_others(file: Path | int) -> None:
    mode = os.stat(file).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder's own error says more
        raise OSError(errno.EINVAL, "it is no regular file")
