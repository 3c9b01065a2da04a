"""The locked requirements are whole, and can be had from any mirror."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = {
    "lock.txt": PROJECT["dependencies"],
    "fleet.txt": PROJECT["dependencies"] + PROJECT["optional-dependencies"]["fleet"],
    "dev.txt": PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"],
}


@pytest.mark.parametrize("name", WANTED)
def test_every_requirement_is_locked_with_hashes_and_no_address(name: str) -> None:
    """What pyproject.toml asks for is in the file, in one version, with hashes; where it came from is not."""
    text = (TOP / "requirements" / name).read_text(encoding="utf-8")
    assert not re.search(r"://|^-|@", text, re.MULTILINE)
    locked = dict(
        re.findall(r"^([a-z0-9.-]+)==\S+ \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE)
    )
    assert len(locked) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    assert {re.split(r"[<>=]", each)[0] for each in WANTED[name]} <= set(locked)
