"""A table for a file or a pipe, where nothing is coloured: the same as rich draws, which takes 30 ms to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from lbdeploy.cli.report.terminal import coloured, lively
from lbdeploy.cli.report.words import BAD, GOOD
from lbdeploy.common.sanitize import safe_text

WIDEST = 160  # columns; rich breaks cells of a wider one
NARROW = str.maketrans(dict.fromkeys(GOOD[0] + BAD[0], " "))  # marks that take one column, as all of ASCII does
WHOLE = 10  # words of up to so many characters are not broken where a terminal is narrow


def plain(stream: IO[str]) -> bool:
    """Whether a table on the stream has neither colours nor a width to keep to."""
    return not coloured(stream) and not lively(stream) and "utf" in str(getattr(stream, "encoding", "")).lower()


def plain_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose first row has the headings; none where it takes more than counting characters."""
    if not all(each.translate(NARROW).isascii() and each.isprintable() for row in rows for each in row):
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    inner = sum(widths) + 3 * (len(widths) - 1)
    if inner + 2 > WIDEST:
        return []
    head, *body = ("   ".join(map(str.ljust, row, widths)) for row in rows)
    lines = [f" {each} " for each in (" " * inner, head, "─" * inner, *body, " " * inner)]
    told = "\n".join((*lines, *(each for row in rows for each in row)))
    return lines if safe_text(told) == told else []  # a secret is hidden in its own cell only


def least_widths(rows: Sequence[Sequence[str]], width: int) -> list[int | None]:
    """How wide each column is at least, so that no short word is broken; nothing where that does not fit."""
    least = [
        min(WHOLE, max(len(word) for each in column for word in each.split(" "))) for column in zip(*rows, strict=True)
    ]
    fits = sum(least) + 3 * (len(least) - 1) + 2 <= width
    return [*least] if fits else [None] * len(least)
