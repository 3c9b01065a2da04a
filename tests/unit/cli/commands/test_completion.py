"""The completion command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
LBDEPLOY = str(BIN / "lbdeploy")


pytestmark = pytest.mark.terminal


def test_the_script_is_printed_for_each_shell(tmp_path: Path) -> None:
    """As text, or in a document; an unknown shell is bad usage."""
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run([LBDEPLOY, "completion", shell], check=True, capture_output=True, text=True, cwd=tmp_path)
        assert f"_LBDEPLOY_COMPLETE={shell}_complete" in done.stdout
    assert subprocess.run([LBDEPLOY, "completion", "tcsh"], check=False, capture_output=True).returncode == 2
