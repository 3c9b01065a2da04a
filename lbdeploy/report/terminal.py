"""Where text goes: which colours, and whether there are any."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

# Only the terminal's own colours, which its owner has made readable on light or dark.
STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "name": {"bold": True},
    "quiet": {"dim": True},
    "todo": {"fg": "cyan"},
}
RICH = {"good": "green", "bad": "bold red", "warn": "yellow", "name": "bold", "quiet": "dim", "todo": "cyan"}
Part = str | tuple[str, str]


def coloured(stream: IO[str]) -> bool:
    """Whether to colour what goes there: FORCE_COLOR and NO_COLOR have the last word, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def lively(stream: IO[str]) -> bool:
    """Whether what was written there can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def write(stream: IO[str], parts: Iterable[Part]) -> None:
    """One line, of text and (text, style) pairs; on a terminal broken between words where it is too long."""
    pairs = [part if isinstance(part, tuple) else (part, "") for part in parts]
    if lively(stream):
        from rich.text import Text

        console(stream).print(Text.assemble(*pairs))
        return
    colour = coloured(stream)
    text = "".join(click.style(text, **STYLES[style]) if style and colour and text else text for text, style in pairs)
    print(text, file=stream, flush=True)


def console(stream: IO[str]) -> Console:
    """For what rich draws there; imported late, since that takes longer than many a command."""
    from rich.console import Console
    from rich.theme import Theme

    width = None if stream.isatty() else 160
    return Console(file=stream, theme=Theme(RICH), highlight=False, width=width, no_color=not coloured(stream))
