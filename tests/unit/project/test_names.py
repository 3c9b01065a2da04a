"""One name for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).parents[3]


def test_no_two_classes_have_the_same_name() -> None:
    """Whoever reads Result, say, need not look which one is meant. Private ones are seen in one module only."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted((TOP / "lbdeploy").rglob("*.py")):
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
                places[each.name].append(f"{file.relative_to(TOP)}:{each.lineno}")
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
