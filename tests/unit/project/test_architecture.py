"""The picture of the packages in docs/architecture.md shows what the code imports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grimp
import pytest

TOP = Path(__file__).parents[3]
PICTURE = TOP / "docs" / "images" / "architecture.svg"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that draws it."""
    monkeypatch.syspath_prepend(str(TOP / "tools" / "python"))
    from pages import architecture

    return architecture


def test_its_arrows_are_the_imports_that_there_are(pages: Any) -> None:
    """As grimp finds them, with which import-linter judges the layers."""
    house = pages.read()
    graph = grimp.build_graph("lbdeploy", cache_dir=None)
    packages = {module: module.split(".")[1] for module in graph.modules if module.count(".")}
    found = {
        (packages[module], packages[target])
        for module in packages
        for target in graph.find_modules_directly_imported_by(module)
        if target in packages and packages[target] != packages[module]
    }
    assert set(house.imports) == {edge for edge in found if "__main__" not in edge}


def test_it_needs_nothing_from_elsewhere_and_has_a_dark_side() -> None:
    """It is shown in pages that are read without a network, and on dark screens."""
    text = PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "prefers-color-scheme: dark" in text
