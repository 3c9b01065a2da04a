"""Writing to a terminal or a file: colours, widths, and what is allowed to reach a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from lbdeploy.cli.report.wrap import Pair, wrapped
from lbdeploy.common import environment
from lbdeploy.common.sanitize import neutral, safe_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

# Only the terminal's own colours, which its owner has made readable on light or dark.
STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "name": {"bold": True},
    "quiet": {"dim": True},
    "todo": {"fg": "cyan"},
    "next": {"fg": "cyan"},  # the style of advice, in which Reporter adapts the commands
    "selected": {"reverse": True},
}
RICH = {
    "good": "green", "bad": "bold red", "warn": "yellow", "name": "bold", "quiet": "dim", "todo": "cyan",
    "next": "cyan", "selected": "reverse",
}  # fmt: skip
Part = str | Pair
Line = Sequence[Part]


def coloured(stream: IO[str]) -> bool:
    """Whether output to the stream is coloured: NO_COLOR and FORCE_COLOR decide; without them, terminals are."""
    if os.environ.get(environment.NO_COLOR):
        return False
    if os.environ.get(environment.FORCE_COLOR):
        return True
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def draws_boxes() -> bool:
    """Whether the locale allows characters beyond ASCII. Where none is set, it is taken for UTF-8, as Python does."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    chosen = next(filter(None, names), "").lower()
    return not chosen or "utf" in chosen


def lively(stream: IO[str]) -> bool:
    """Whether the stream is a terminal on which lines can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def write(stream: IO[str], parts: Iterable[Part]) -> None:
    """Write one line, of text and (text, style) pairs; on a terminal it is broken between words.

    A standard error whose reader has gone, as in `lbdeploy up 2>&1 | head`, is ignored: a node must not be left in the
    middle of its change. Results whose reader has gone raise BrokenPipeError.
    """
    colour = coloured(stream)
    with suppress(*[OSError] if stream is sys.stderr else []):
        for line in _lines(parts):
            for row in wrapped(line, _width(stream)) if lively(stream) else [line]:
                print("".join(_styled(row) if colour else (text for text, _ in row)), file=stream, flush=True)


def _lines(parts: Iterable[Part]) -> list[list[Pair]]:
    """The parts as pairs, line by line, safe to show."""
    lines: list[list[Pair]] = [[]]
    for text, style in (part if isinstance(part, tuple) else (part, "") for part in parts):
        first, *rest = safe_text(text).split("\n")
        lines[-1].append((first, style))
        lines += [[(each, style)] for each in rest]
    return lines


def _styled(row: Iterable[Pair]) -> Iterator[str]:
    for style, pairs in groupby(row, key=lambda pair: pair[1]):
        text = "".join(text for text, _ in pairs)
        yield click.style(text, **STYLES[style]) if style and text else text


def _width(stream: IO[str]) -> int:
    """Columns of the terminal. A serial console may report 0: then a default counts."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def cell(*parts: Part) -> Text:
    """A text for rich, of text and (text, style) pairs, safe to show."""
    from rich.text import Text

    return Text.assemble(
        *(safe_text(part) if isinstance(part, str) else (safe_text(part[0]), part[1]) for part in parts)
    )


def console(stream: IO[str]) -> Console:
    """rich's console for the stream; imported late, since that takes longer than many a command.

    What it draws is made neutral once more, in case that a text has not come by `cell`.
    """
    from rich.console import Console
    from rich.segment import Segment
    from rich.theme import Theme

    class Neutral(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else neutral(text), style, control)

    width = None if stream.isatty() else 160
    colours: Literal["auto"] | None = "auto" if coloured(stream) else None
    return Neutral(file=stream, theme=Theme(RICH), highlight=False, width=width, color_system=colours)
