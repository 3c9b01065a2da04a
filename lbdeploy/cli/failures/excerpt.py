"""A line of hosts.toml with what is wrong in it marked, as compilers show it."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.wrap import columns
from lbdeploy.errors import Problem

WIDEST = 64  # columns of a line that are shown: it must not be broken, or the mark points elsewhere


def excerpt(problem: Problem) -> Iterator[Line]:
    """The line, and a mark below the part that is meant; nothing where that is not known."""
    if not problem.column:
        return
    source, begin = problem.source.replace("\t", " "), problem.column - 1
    first = max(0, begin - WIDEST // 2) if columns(source) > WIDEST else 0
    shown = _cut(source[first:])
    marked = shown[begin - first :][: problem.width]
    number = str(problem.line)
    yield (f"    {number} │ ", "quiet"), shown
    mark = "^" * max(columns(marked), 1)
    yield (f"    {' ' * len(number)} │ ", "quiet"), " " * columns(shown[: begin - first]), (mark, "bad")


def _cut(text: str) -> str:
    """As much of it as fits."""
    while columns(text) > WIDEST:
        text = text[: len(text) - max(1, (columns(text) - WIDEST) // 2)]
    return text
