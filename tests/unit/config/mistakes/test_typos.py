"""One typo is one problem, and two are two."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from goldens import GOOD
from hosts_toml import SHORT, problems

KEYS = [each for each in re.findall(r"^(\w+) = ", SHORT, re.MULTILINE) if not each.startswith("master")]


@pytest.mark.parametrize("key", sorted(set(KEYS)))
def test_each_key_misspelt_is_one_problem(key: str, tmp_path: Path) -> None:
    """Whichever it is, and wherever else it is needed."""
    wrong = key[:2] + "x" + key[2:]
    text = re.sub(rf"^{key} = ", f"{wrong} = ", SHORT, count=1, flags=re.MULTILINE)
    found = problems(tmp_path, text)
    assert len(found) == 1, found
    assert "unknown key; did you mean" in found[0] or "is missing" in found[0]


def test_two_typos_are_two_problems(tmp_path: Path) -> None:
    """One hides no other."""
    text = GOOD.replace("priority = 100", "prioritty = 100").replace("[vrrp]", "[vrrpp]")
    assert [each.partition(";")[0] for each in problems(tmp_path, text)] == [
        "26: nodes.lb2.prioritty: unknown key",
        "28: vrrpp: unknown table",
    ]


def test_what_is_missing_and_not_misspelt_is_still_told(tmp_path: Path) -> None:
    """A key that is like no missing one explains none."""
    text = GOOD.replace("priority = 100", "colour = 100")
    told = problems(tmp_path, text)
    assert [each.partition(":")[2].split(":")[0].strip() for each in told] == [
        "nodes.lb2.priority",
        "nodes.lb2.colour",
    ]
