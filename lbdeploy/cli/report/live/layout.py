"""Lines that fit a width and a height, and say what was cut. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbdeploy.cli.report.terminal import Line, draws_boxes
from lbdeploy.cli.report.words import count
from lbdeploy.cli.report.wrap import Pair, columns
from lbdeploy.common.sanitize import safe_text

GAP = 2  # columns between two of a table


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. Where a table is too wide, those of the highest `rank` are left out; of rank 0, none is."""

    heading: str
    rank: int = 0


def pairs(line: Line) -> list[Pair]:
    """A line as (text, style), safe to show."""
    return [(safe_text(part), "") if isinstance(part, str) else (safe_text(part[0]), part[1]) for part in line]


def width_of(line: Line) -> int:
    """The columns of a terminal that it takes."""
    return sum(columns(text) for text, _ in pairs(line))


def clipped(line: Line, width: int) -> Line:
    """The line, cut where it is too long, with a mark in its last column."""
    if width_of(line) <= width:
        return pairs(line)
    cut: list[Pair] = []
    left = width - 1
    for text, style in pairs(line):
        taken = ""
        for character in text:
            left -= columns(character)
            if left < 0:
                return [*cut, (taken, style), ("…" if draws_boxes() else ">", "quiet")]
            taken += character
        cut.append((taken, style))
    return cut


def padded(line: Line, width: int) -> Line:
    """The line, with spaces up to the width."""
    return [*pairs(line), (" " * (width - width_of(line)), "")]


def chosen(line: Line) -> Line:
    """A row that is chosen: its name is marked, and the rest keeps the colours that say how it is."""
    (name, _), *rest = pairs(line)
    return [(name, "selected"), *rest]


def table(heads: Sequence[Column], rows: Sequence[Sequence[Line]], width: int) -> tuple[Line, list[Line]]:
    """The heading and the rows of a table, without the columns for which there is no room."""
    kept = list(range(len(heads)))
    wide = [max(columns(head.heading), *(width_of(row[at]) for row in rows), 0) for at, head in enumerate(heads)]
    while sum(wide[at] + GAP for at in kept) - GAP > width:
        least = max(kept, key=lambda at: (heads[at].rank, at))
        if not heads[least].rank:
            break
        kept.remove(least)
    heading = _row([[(heads[at].heading, "quiet")] for at in kept], [wide[at] for at in kept])
    return heading, [_row([row[at] for at in kept], [wide[at] for at in kept]) for row in rows]


def _row(cells: Sequence[Line], wide: Sequence[int]) -> Line:
    return [part for each, width in zip(cells, wide, strict=True) for part in padded(each, width + GAP)]


def window(rows: Sequence[Line], height: int, selected: int | None, noun: str) -> list[Line]:
    """So many rows, among them the selected one; the last line says how many are cut."""
    if len(rows) <= height:
        return [*rows, *([()] * (height - len(rows)))]
    shown = max(height - 1, 0)
    first = min(max((selected or 0) - shown + 1, 0), len(rows) - shown)
    cut = (f"  {count(len(rows) - shown, f'more {noun}')}: arrow keys, or / to filter", "quiet")
    return [*rows[first : first + shown], (cut,)]


def scrolled(lines: Sequence[Line], height: int, top: int, keys: str = "arrow keys") -> list[Line]:
    """So many lines from the `top` one on; the last line says how many are cut, and which keys show them."""
    if len(lines) <= height:
        return [*lines, *([()] * (height - len(lines)))]
    shown = max(height - 1, 0)
    first = min(top, len(lines) - shown)
    return [*lines[first : first + shown], ((f"  {count(len(lines) - shown, 'more line')}: {keys}", "quiet"),)]


def heights(wanted: Sequence[int], room: int) -> list[int]:
    """How many rows each section gets: all it wants, or else the longest ones get less, but two at the least."""
    given = list(wanted)
    while sum(given) > room:
        longest = max(range(len(given)), key=given.__getitem__)
        if given[longest] <= 2:
            break
        given[longest] -= 1
    return given
