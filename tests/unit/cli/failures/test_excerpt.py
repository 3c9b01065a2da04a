"""A line of hosts.toml with a mark below what is meant."""

from __future__ import annotations

import pytest

from lbdeploy.cli.failures.excerpt import excerpt
from lbdeploy.cli.report.wrap import columns
from lbdeploy.errors import Problem


def drawn(source: str, column: int, width: int) -> list[str]:
    lines = excerpt(Problem("rule", (), "wrong", "fix", 7, column, width, source))
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines]


@pytest.mark.parametrize(
    ("source", "marked"),
    [
        ("a = 1", "1"),
        ("\ta = 1", "a"),
        ('name = "日本語"  # 名前', '"日本語"'),
        ("x" * 200 + " = 1", "1"),
        ("a" + " " * 90 + "b", "b"),
    ],
)
def test_the_mark_is_below_what_is_meant_and_the_line_fits(source: str, marked: str) -> None:
    """Also of a line with tabs, of one with wide characters, and of a long one."""
    line, mark = drawn(source, source.index(marked) + 1, len(marked))
    assert columns(line) <= 76
    begin = columns(mark) - mark.count("^")
    assert begin == columns(line[: line.rindex(marked)])
    assert mark.count("^") == columns(marked)


def test_nothing_is_drawn_where_the_place_is_not_known() -> None:
    assert drawn("", 0, 0) == []
