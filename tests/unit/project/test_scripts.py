"""Scripts that make starts, apart from pytest: they find what they import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]

pytestmark = pytest.mark.terminal


@pytest.mark.parametrize("script", ["tests/lab/support/chaos.py", "tests/bench/bench.py", "tests/bench/client_view.py"])
def test_a_script_tells_how_it_is_used(script: str) -> None:
    """It is started as make does, with no more of a path than that."""
    done = subprocess.run([sys.executable, script, "--help"], cwd=TOP, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout
