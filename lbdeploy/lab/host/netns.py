"""Network namespaces, as ip-netns(8) mounts them: entering them, and telling them apart."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000


def setns(namespace: Path) -> None:
    """Puts the calling thread into a network namespace, for all the sockets it opens. Raises OSError."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(namespace))
    finally:
        os.close(descriptor)


def inside(namespace: Path, work: Callable[[], T]) -> T:
    """Does `work` in a namespace; returns or raises what it does. In its own thread, so the caller stays outside."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def thread() -> None:
        try:
            setns(namespace)
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    worker = threading.Thread(target=thread, daemon=True)
    worker.start()
    worker.join()
    if failure:
        raise failure[0]
    return outcome[0]


def network(namespace: Path) -> int | None:
    """The inode of the network namespace mounted there; None without one: a power loss leaves an empty file there."""
    try:
        found = namespace.stat()
        return found.st_ino if found.st_dev != namespace.parent.stat().st_dev else None
    except FileNotFoundError:
        return None
