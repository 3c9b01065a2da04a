"""Lines broken between words, for terminals: by columns, of which wide characters take two (Unicode annex 11).

Lines are broken only at spaces. A word that is longer than a line, such as a path, stays whole: the terminal breaks it,
and it can still be copied and opened.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

Pair = tuple[str, str]  # text, style
Word = list[Pair]


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(pairs: Iterable[Pair], width: int) -> list[list[Pair]]:
    """The lines that one line is broken into; the further ones are indented by two columns more than the first."""
    lines: list[list[Pair]] = []
    taken, further = 0, ""
    for space, word in _words(pairs):
        length = sum(columns(text) for text, _ in word)
        if not lines:
            lines, further = [[space]], f"{space[0]}  "
            taken = len(space[0])
        elif word and taken + len(space[0]) + length > width:
            lines.append([(further, "")])
            taken = len(further)
        else:
            lines[-1].append(space)
            taken += len(space[0])
        lines[-1] += word
        taken += length
    return lines or [[]]


def _words(pairs: Iterable[Pair]) -> Iterator[tuple[Pair, Word]]:
    """Each word with the space before it; a word may be of several styles."""
    space: Pair = ("", "")
    word: Word = []
    for text, style in pairs:
        for piece in re.findall(r" +|[^ ]+", text):
            if piece[0] != " ":
                word.append((piece, style))
            elif word:
                yield space, word
                space, word = (piece, style), []
            else:
                space = (space[0] + piece, style)
    if word or space[0]:
        yield space, word
