"""docs/features.md names a test for each feature; each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
ROWS = re.findall(r"^\| (?!feature|---)(.*?) \| .*? \| (.*?) \|$", (TOP / "docs/features.md").read_text(), re.MULTILINE)


@cache
def names_in(path: str) -> set[str]:
    return {node.name for node in ast.parse((TOP / path).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_the_table_is_read() -> None:
    """A table that this page's pattern does not fit would pass for want of rows."""
    lines = [line for line in (TOP / "docs/features.md").read_text().splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 2 > 30


@pytest.mark.parametrize(("feature", "test"), ROWS)
def test_each_feature_has_its_test(feature: str, test: str) -> None:
    """By its file and its name."""
    path, _, name = test.partition("::")
    assert name in names_in(path), feature
