"""Imports go down the floors that pyproject.toml draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[3]


def test_imports_go_down_only() -> None:
    """Every contract between the modules is kept."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-cache"], check=False, capture_output=True, text=True, cwd=TOP)
    assert done.returncode == 0, done.stdout + done.stderr
