"""tools/python/screens.py, with which every screen can be looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders import TOP

SHOWN = (
    "plan-a-change",
    "plan-bare-nodes",
    "up",
    "up-haproxy-stopped",
    "history",
    "verify",
    "status",
    "doctor",
    "drill",
)


@pytest.mark.terminal
def test_every_screen_is_drawn_at_four_widths_light_and_dark(tmp_path: Path) -> None:
    """As pictures that browsers can show, with all that the terminal shows in them."""
    script = [sys.executable, str(TOP / "tools/python/screens.py"), str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True, timeout=300)
    drawn = {each.stem: "".join(ElementTree.parse(each).getroot().itertext()) for each in tmp_path.glob("*.svg")}
    names = {each.rsplit("-", 2)[0] for each in drawn}
    assert names >= {*SHOWN, "show-live", "check-a-typo", "status-watch-healthy", "status-watch-clusters"}
    sizes = {f"{width}-{colours}" for width in (60, 80, 100, 140) for colours in ("light", "dark")}
    assert set(drawn) == {f"{name}-{size}" for name in names for size in sizes}
    assert "HEALTHY" in drawn["up-60-dark"]
    assert "ann@laptop" in drawn["history-60-light"]
