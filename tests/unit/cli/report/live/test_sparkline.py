"""Numbers drawn in a line."""

from __future__ import annotations

import pytest

from lbdeploy.cli.report.live.sparkline import sparkline


def test_the_latest_is_last_and_nothing_is_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The highest is as high as it gets, one is more than none, and what is not known is a gap."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert sparkline([9, 0, 1, None, 50, 100], 5, 100) == "▁▂ ▅█"
    assert sparkline([0, 0], 4, 0) == "  ▁▁"
    assert sparkline([1], 0, 1) == ""


def test_without_unicode_it_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert sparkline([0, 100], 2, 100) == "_#"
