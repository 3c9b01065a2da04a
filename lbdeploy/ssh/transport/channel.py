"""One channel of a connection: a script's output, within limits, or a script that is held open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from paramiko import Channel, SSHException

from lbdeploy.ssh.limits import MIB, Limits


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


class Watchdog:
    """Ends the connection of a channel whose limits are exceeded, as a context manager around all that is done with it.

    So whatever this side waits for then, an answer, the end of one, or room to send more, it waits no longer.
    """

    def __init__(self, channel: Channel, limits: Limits) -> None:
        self.exceeded = ""  # which limit was exceeded, if any
        self._channel = channel
        self._limits = limits
        self._size = 0
        self._last_line = time.monotonic()
        self._end = self._last_line + limits.seconds
        self._over = threading.Event()

    def __enter__(self) -> Watchdog:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def feed(self, chunk: bytes) -> None:
        """Count what has arrived."""
        self._size += len(chunk)
        if b"\n" in chunk:
            self._last_line = time.monotonic()
        if self._size > self._limits.size:
            self._stop(f"its answer is longer than {self._limits.size / MIB:g} MiB")

    def _watch(self) -> None:
        while not self._over.wait(max(self._due() - time.monotonic(), 0.0)):
            if time.monotonic() >= self._due():
                self._stop(self._why())
                return

    def _due(self) -> float:
        return min(self._end, self._last_line + self._limits.silence)

    def _why(self) -> str:
        if self._due() == self._end:
            return f"its answer takes longer than {self._limits.seconds:g} s"
        return f"it has reported nothing for {self._limits.silence:g} s"

    def _stop(self, why: str) -> None:
        self.exceeded = self.exceeded or why
        self._over.set()
        self._channel.get_transport().close()


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
