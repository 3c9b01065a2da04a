"""The names of images in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.lab.image import build
from lbdeploy.lab.image.build import Image, Recipe

KERNEL = Recipe("bookworm", ("linux-image-cloud-amd64",))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(build, "CACHE", tmp_path)
    return tmp_path


def make(cache: Path, recipe: Recipe, number: int) -> Path:
    path = cache / f"{recipe.prefix}-{recipe.id}-{number}"
    path.mkdir()
    return path


def test_the_newest_image_of_the_very_recipe_is_found(cache: Path) -> None:
    """One with other packages, or of another suite, is another image."""
    make(cache, Recipe("bookworm"), 1)
    newest = make(cache, Recipe("bookworm"), 2)
    make(cache, KERNEL, 3)
    make(cache, Recipe("trixie"), 4)
    assert build.cached(Recipe("bookworm")) == Image(newest)
    assert build.cached(Recipe("bullseye")) is None


def test_a_new_image_takes_the_place_of_old_ones_of_its_kind_alone(cache: Path) -> None:
    """The image with a kernel stays when the one without is built anew, and the other way round."""
    plain, kernel = [make(cache, Recipe("bookworm"), each) for each in (1, 2)], make(cache, KERNEL, 3)
    build._prune(Recipe("bookworm"), {plain[1]})
    assert sorted(cache.iterdir()) == sorted([plain[1], kernel])
    build._prune(KERNEL, set())
    assert list(cache.iterdir()) == [plain[1]]
