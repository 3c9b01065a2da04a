"""A long text on a terminal goes through a pager, as git's does: $PAGER, or else less."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import IO

from lbdeploy.common import environment

# less ends by itself where all fits, shows colours, leaves what was read on the screen, and says in place of its colon
# how to leave it, which not everybody knows; its owner's LESS decides.
LESS = "-FRX -Psq leaves, Space goes on$"


class TerminalText(io.StringIO):
    """Takes what is written for a terminal, as that terminal would: with its colours and its width."""

    def __init__(self, terminal: IO[str]) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._terminal.fileno()


def fits(text: str, terminal: IO[str]) -> bool:
    """Whether all of it can be seen at once; a terminal that does not say how high it is, is taken for high enough."""
    try:
        rows = os.get_terminal_size(terminal.fileno()).lines
    except OSError:
        return True
    return not rows or text.count("\n") < rows - 1


def paged(text: str) -> bool:
    """Show it in a pager; whether there was one. "" and cat as $PAGER mean none."""
    words = os.environ.get(environment.PAGER, "less").strip()
    if words in ("", "cat") or not shutil.which(words.split()[0]):
        return False
    env = {"LESS": LESS, **os.environ}
    env.pop(environment.SUDO_VARIABLE, None)
    # $PAGER is its owner's command line, as for git and man.
    process = subprocess.Popen(words, shell=True, stdin=subprocess.PIPE, env=env, text=True, errors="replace")  # noqa: S602
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        with suppress(BrokenPipeError):  # it was left before the end
            process.communicate(text)
    finally:
        signal.signal(signal.SIGINT, before)
    return True
