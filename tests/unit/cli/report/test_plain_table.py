"""Tables that are drawn without rich are the same as those that it draws."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lbdeploy.cli.report import printer
from lbdeploy.cli.report.plain_table import least_widths, plain, plain_table
from lbdeploy.cli.report.printer import Printer
from lbdeploy.common.redact import HIDDEN
from lbdeploy.common.sanitize import safe_text

CELLS = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("✓✗"), max_size=30)


class Utf8(io.StringIO):
    encoding = "utf-8"


def drawn(rows: list[list[str]]) -> str:
    """What a printer writes into a file."""
    one = Printer(json=False, verbose=0)
    one.results = Utf8()
    one.table(rows[0], rows[1:])
    return one.results.getvalue()


@example([["$0=0", "x"]])
@example([["", "$0=0"]])
@example([["$0", "=1"]])
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)))
def test_it_is_what_rich_draws(rows: list[list[str]]) -> None:
    """Whatever is in the cells, as long as it is ASCII or a mark, no secret, and there is room for it."""
    rows = [[each.strip() or "x" for each in row] for row in rows]
    found = drawn(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printer, "plain_table", lambda _: [])
        assert found == drawn(rows)
    assert plain_table(rows) or HIDDEN in safe_text(found)


def test_what_takes_more_than_counting_is_left_to_rich() -> None:
    """Wide characters, those that steer a terminal, and tables that do not fit; but not marks."""
    assert plain_table([["file", ""], ["lb1", "✓"]])
    assert plain_table([["名"]]) == plain_table([["\x1b[2J"]]) == plain_table([["x" * 200]]) == []


def test_short_words_are_whole_in_a_narrow_terminal_where_that_fits() -> None:
    """Longer ones may be broken; in one that is narrower still, all may."""
    rows = [["when", "who"], ["2026-11-29 17:40:01", "ann@laptop.example.org"]]
    assert least_widths(rows, 25) == [10, 10]
    assert least_widths(rows, 24) == [None, None]


def test_colours_and_other_encodings_are_left_to_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with FORCE_COLOR."""
    assert plain(Utf8())
    assert not plain(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not plain(Utf8())


def test_it_needs_no_rich() -> None:
    """The table of the VIPs, at the end of `up`, in a pipeline."""
    program = (
        "import sys; from lbdeploy.cli.report.reporter import Reporter\n"
        "one = Reporter(json=False, verbose=0); one.prepare(); one.table(('VIP', 'node'), [('192.0.2.1', 'lb1')])\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("False\n")
