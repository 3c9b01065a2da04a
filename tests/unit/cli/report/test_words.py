"""Words that several reports have in common."""

from __future__ import annotations

import pytest

from lbdeploy.cli.report.words import count, listed


@pytest.mark.parametrize(("number", "said"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_a_number_of_things_is_said_in_singular_or_plural(number: int, said: str) -> None:
    """Only one of them is a node."""
    assert count(number, "node") == said


@pytest.mark.parametrize(
    ("names", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_one_says_them(names: list[str], said: str) -> None:
    """With commas, and an "and" before the last."""
    assert listed(names) == said
