"""Decisions are numbered, dated, and referred to by their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
PAGES = sorted((TOP / "docs" / "decisions").glob("[0-9]*.md"))
READ = [
    *TOP.glob("*.md"),
    *(TOP / "docs").rglob("*.md"),
    *(TOP / "lbdeploy").rglob("*.py"),
    *(TOP / "lbdeploy").rglob("*.sh"),
]


def test_their_numbers_have_no_gaps() -> None:
    """From 1 on, one file each."""
    assert [int(page.name[:3]) for page in PAGES] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:3])
def test_each_begins_with_number_date_and_status(page: Path) -> None:
    """The number is that of its file; the status is one of two, and names a decision that there is."""
    head = re.match(r"# (\d+)\. \S.*\n\n- Date: (\S+)\n- Status: (.+)\n\n", page.read_text(encoding="utf-8"))
    assert head
    assert int(head[1]) == int(page.name[:3])
    assert date.fromisoformat(head[2])
    superseded = re.fullmatch(r"superseded by (\d+)", head[3])
    assert head[3] == "accepted" or (superseded and int(superseded[1]) <= len(PAGES))


def test_references_have_the_number_of_what_they_lead_to() -> None:
    """A link says the number of its page, a path in a comment is that of a page, a bare number is not too high."""
    assert [f"{file.relative_to(TOP)}: {each}" for file in READ for each in wrong(file)] == []


def wrong(file: Path) -> Iterator[str]:
    """The references of a file that lead nowhere, or elsewhere."""
    text = " ".join(file.read_text(encoding="utf-8").split())
    names = {page.name for page in PAGES}
    for number, name in re.findall(r"\[(?:decision )?(\d+)\]\((?:[\w./]*/)?(\d{3}-[\w-]+\.md)\)", text):
        if name not in names or int(number) != int(name[:3]):
            yield f"[{number}]({name})"
    yield from {*re.findall(r"docs/decisions/(\d[\w-]+\.md)", text)} - names
    yield from (number for number in re.findall(r"\bdecision (\d+)", text) if int(number) > len(PAGES))
