"""Lines and tables that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watching import text

from lbdeploy.cli.report.live.layout import Column, clipped, heights, scrolled, table, width_of, window
from lbdeploy.cli.report.terminal import Line


@given(st.lists(st.text(), max_size=4), st.integers(1, 60))
def test_a_line_is_never_wider_than_it_may_be(parts: list[str], width: int) -> None:
    assert width_of(clipped([part.replace("\n", "") for part in parts], width)) <= width


def test_what_is_cut_has_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """In ASCII where the locale is."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert text(clipped(["abcdef"], 4)) == "abc…"
    assert text(clipped(["本番環境"], 6)) == "本番…"
    monkeypatch.setenv("LC_ALL", "C")
    assert text(clipped(["abcdef"], 4)) == "abc>"


def test_columns_of_the_highest_rank_are_left_out_first() -> None:
    heads = [Column("name"), Column("much", 2), Column("more", 1)]
    rows = [[["lb1"], ["x" * 20], ["yyyy"]]]
    assert [text(line).split() for line in table(heads, rows, 20)[1]] == [["lb1", "yyyy"]]
    assert [text(line).split() for line in table(heads, rows, 5)[1]] == [["lb1"]]
    assert text(table(heads, [], 40)[0]).split() == ["name", "much", "more"]


def test_rows_that_are_cut_are_counted_and_the_chosen_one_is_not() -> None:
    rows: list[Line] = [[str(number)] for number in range(10)]
    for chosen in range(10):
        shown = [text(line) for line in window(rows, 4, chosen, "server")]
        assert str(chosen) in shown
        assert shown[-1] == "  7 more servers: arrow keys, or / to filter"
    assert len(window(rows, 12, None, "server")) == 12


def test_a_page_ends_with_how_much_there_is_beside_what_is_seen() -> None:
    lines: list[Line] = [[str(number)] for number in range(10)]
    assert [text(line) for line in scrolled(lines, 3, 99)] == ["8", "9", "  8 more lines: arrow keys"]


def test_the_longest_section_gives_way() -> None:
    assert heights([3, 3, 40], 20) == [3, 3, 14]
    assert heights([3, 3, 4], 20) == [3, 3, 4]
    assert heights([9, 9, 9], 3) == [2, 2, 2]
