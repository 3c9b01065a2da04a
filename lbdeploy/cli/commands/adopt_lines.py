"""The report of `lbdeploy adopt`: each line of the nodes' files, with what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import listed

if TYPE_CHECKING:
    from lbdeploy.cli.report.wrap import Pair
    from lbdeploy.operations.adopt.result import Adopted
    from lbdeploy.operations.adopt.rows import LineRow, Verdict

MARKS: dict[Verdict, Pair] = {
    "kept": ("✓", "good"),
    "equal": ("=", "quiet"),
    "changes": ("!", "warn"),
    "ends": ("✗", "bad"),
}
LONGEST = 60  # characters of a line


def lines(found: Adopted) -> Iterator[Line]:
    """Every line, file by file; then what they add up to, and what is worth knowing besides."""
    everybody = list(found.draft["nodes"])
    for file, rows in groupby(found.rows, key=lambda each: each.file):
        yield ((file, "name"),)
        yield from (_row(each, "" if len(each.nodes) == len(everybody) else f"{listed(each.nodes)} ") for each in rows)
    yield from _sum(found)
    for note in found.notes:
        yield ("! ", "warn"), note


def _row(row: LineRow, where: str) -> Line:
    """A line; `where` names the nodes that have it so, if others don't."""
    text = row.text if len(row.text) <= LONGEST else f"{row.text[: LONGEST - 1]}…"
    return "  ", MARKS[row.verdict], f" {row.line:>3} ", (where, "todo"), (text, "name"), f" -> {row.meaning}"


def _sum(found: Adopted) -> Iterator[Line]:
    sums = found.counts
    yield (
        "Lines: ",
        *(MARKS["kept"], f" {sums['kept']} kept, "),
        *(MARKS["equal"], f" {sums['equal']} replaced by something equal, "),
        *(MARKS["changes"], f" {sums['changes']} that mean something else, "),
        *(MARKS["ends"], f" {sums['ends']} not in hosts.toml"),
    )
