"""One channel of a connection: a script's output, line by line, or a script that is held open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from paramiko import Channel, SSHException


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a script printed (both streams, in order) and its exit status; -1 where there was none."""

    output: str
    status: int


@contextmanager
def closing(channel: Channel) -> Iterator[None]:
    """Close a channel at the end; if that fails, as the connection is gone, an earlier error is not replaced."""
    try:
        yield
    finally:
        with suppress(SSHException, OSError, EOFError):
            channel.close()


class Held:
    """A script on a node that runs until its input ends: with the connection, or when this side has been silent."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def alive(self) -> bool:
        return not self._channel.closed and not self._channel.exit_status_ready()

    def beat(self) -> None:
        """Tell the script that this side is still there. Errors are ignored where the node is not."""
        with suppress(SSHException, OSError, EOFError):
            self._channel.sendall(b"\n")

    def release(self) -> None:
        """End the script."""
        with suppress(SSHException, OSError, EOFError):
            self._channel.close()


class OutputLines:
    """Bytes to lines, as they arrive; nothing up to the line that ends in `after` is passed on."""

    def __init__(self, on_line: Callable[[str], None] | None, after: str | None) -> None:
        self._on_line = on_line
        self._waiting = after
        self._all = bytearray()
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        self._all += chunk
        if not self._on_line:
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            if not self._waiting:
                self._on_line(text)
            elif text.endswith(self._waiting):  # sudo's prompt may precede it
                self._waiting = None

    def text(self) -> str:
        return self._all.decode(errors="surrogateescape")
