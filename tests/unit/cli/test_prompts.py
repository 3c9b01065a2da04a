"""Questions, as they are answered at a terminal."""

from __future__ import annotations

import click
import pytest

from lbdeploy.cli.prompts import approved


@pytest.mark.parametrize(
    ("typed", "answer", "shown"),
    [("y\n", True, 0), ("yes\n", True, 0), ("\n", False, 0), ("No\n", False, 0), ("d\nD\ny\n", True, 2),
     ("maybe\nn\n", False, 0)],
)  # fmt: skip
def test_yes_has_to_be_typed_and_d_shows_more(
    typed: str, answer: bool, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enter is no; what is neither is asked again."""
    said = iter(typed.split("\n"))
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: next(said))
    seen: list[None] = []
    assert approved("Make these changes?", lambda: seen.append(None)) == answer
    assert len(seen) == shown


def test_d_is_no_answer_where_there_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(("d", "y"))
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: next(said))
    assert approved("Make these changes?", None)
