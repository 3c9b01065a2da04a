"""Standard streams in unusual states: closed, on a full disk, or with an encoding that lacks characters."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import IO, Any

import click

from lbdeploy.common.typed import typed
from lbdeploy.errors import LbdeployError

HEED_SECONDS = 0.2


class UnwrittenError(Exception):
    """Standard output can't be written, for another reason than that its reader has left."""


class Output:
    """Standard output, whose errors can be told from those of other files."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        written: int = self._try(self._stream.write, text)
        return written

    def flush(self) -> None:
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, do: Any, *given: str) -> Any:
        try:
            return do(*given)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UnwrittenError(error.strerror or str(error)) from error


def read_line(prompt: str) -> str:
    """Read a line as input() does, but interrupted by Ctrl-C whichever thread the system delivers it to.

    Python raises KeyboardInterrupt in the main thread once that runs on; a signal that another thread receives does not
    wake it.
    """
    sys.stderr.write(prompt)
    sys.stderr.flush()
    while not select.select([sys.stdin], [], [], HEED_SECONDS)[0]:
        pass
    return input()


def prepare_streams() -> None:
    """Closed streams go to /dev/null; characters that a stream can't encode are replaced."""
    click.termui.visible_prompt_func = read_line
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # the stream was closed when Python started
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  until the end
        elif isinstance(stream, io.TextIOWrapper) and mode == "w":
            stream.reconfigure(errors="replace")
    sys.stdout = Output(sys.stdout)


def unwritten(error: UnwrittenError, outcome: int | None) -> LbdeployError:
    """The error where results can't be written. `outcome`: the exit code of what was asked for, if it has ended."""
    what = f"the output could not be written: {error}"
    if outcome is None:
        return LbdeployError(
            what, state="what was under way has been given up", fix=typed("verify", before="make room, then: ")
        )
    ended = "it had ended well" if outcome == 0 else f"it had ended with exit code {outcome}"
    return LbdeployError(
        what, state=f"{ended}, before it could say so", fix=typed("verify", before="make room, then: ")
    )
