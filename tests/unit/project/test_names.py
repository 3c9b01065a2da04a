"""One name for one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).parents[3]
CLASS = re.compile(r"^ *class ([^_\W]\w*)[(:]", re.MULTILINE)


def test_no_two_classes_have_the_same_name() -> None:
    """Whoever reads Result, say, need not look which one is meant. Private ones are seen in one module only."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted((TOP / "lbdeploy").rglob("*.py")):
        for name in CLASS.findall(file.read_text(encoding="utf-8")):
            places[name].append(str(file.relative_to(TOP)))
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
