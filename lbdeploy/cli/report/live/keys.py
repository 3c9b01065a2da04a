"""KeyReader, as they are pressed: without waiting for Enter, and without showing them."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import time
from types import TracebackType
from typing import Any

# What terminals send for a key without a letter: ECMA-48's cursor keys, also in application mode.
NAMED = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down",
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "erase", "\x08": "erase",
}  # fmt: skip
# What was pasted in brackets; sequences of ECMA-48 (5.4), Linux's own ESC [ [ A, and ESC O; Alt with a key; the rest.
_KEY = re.compile(
    r"\x1b\[200~.*?(?:\x1b\[201~|\Z)|\x1b\[\[?[0-?]*[ -/]*[@-~]?|\x1bO[0-9;]*[A-Za-z]?|\x1b[^\x1b]|.", re.DOTALL
)
MOST = 1024  # bytes read at once: more are what somebody pasted


class KeyReader:
    """Reads keys while it is open as a context manager; none where standard input is no terminal.

    Ctrl-C stays what it is. Ctrl-Z does nothing: a shell would write its prompt onto the drawn screen.
    """

    def __init__(self) -> None:
        self._file = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] = []

    def __enter__(self) -> KeyReader:
        if self._file is not None:
            self._before = termios.tcgetattr(self._file)
            changed = termios.tcgetattr(self._file)
            changed[3] &= ~(termios.ICANON | termios.ECHO)
            changed[6][termios.VSUSP] = b"\0"  # _POSIX_VDISABLE of Linux
            termios.tcsetattr(self._file, termios.TCSADRAIN, changed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            termios.tcsetattr(self._file, termios.TCSAFLUSH, self._before)

    def read(self, seconds: float) -> list[str]:
        """The keys that were pressed, as soon as there is one; none after so many seconds."""
        if self._file is None:
            time.sleep(seconds)
            return []
        if not select.select([self._file], [], [], seconds)[0]:
            return []
        sent = os.read(self._file, MOST).decode(errors="replace")
        return named(sent) if sent else ["q"]  # the terminal has gone


def named(sent: str) -> list[str]:
    """The keys in what a terminal has sent, several where they came quickly. A sequence that is not known is no key."""
    return [NAMED.get(each, each) for each in _KEY.findall(sent) if each in NAMED or each.isprintable()]
