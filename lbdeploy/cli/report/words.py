"""Marks and words that several reports have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lbdeploy.cli.report.wrap import Pair
    from lbdeploy.health.finding import Severity

GOOD, WARNING, BAD = ("✓", "good"), ("!", "warn"), ("✗", "bad")
MARKS: dict[Severity, Pair] = {"ok": GOOD, "warning": WARNING, "error": BAD}


def count(number: int, noun: str) -> str:
    """A number with a noun whose plural ends in s, such as "2 nodes"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed(names: Iterable[str]) -> str:
    """Names as text: "a, b and c"."""
    *rest, last = (*names,) or ("",)
    return f"{', '.join(rest)} and {last}" if rest else last
