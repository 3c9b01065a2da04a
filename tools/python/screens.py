#!/usr/bin/env python3
"""Draws every page of the live screen of `status --watch` at four widths, light and dark, as SVG, to be looked at.

Usage: .venv/bin/python tools/python/screens.py FOLDER

Of the sample's pair as the tests have it: well, and with haproxy stopped on lb1. It needs no lab.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI, TerminalTheme
from rich.theme import Theme

TOP = Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))

from statuses import pair  # noqa: E402
from watching import clusters, fault, watched  # noqa: E402

from lbdeploy.cli.report.live.fleet import fleet_screen  # noqa: E402
from lbdeploy.cli.report.live.screen import screen  # noqa: E402
from lbdeploy.cli.report.live.view import LiveView, Page  # noqa: E402
from lbdeploy.cli.report.terminal import RICH, Line, cell  # noqa: E402
from lbdeploy.config import reader  # noqa: E402

SIZES = ((60, 14), (80, 24), (100, 30), (140, 40))
THEMES: dict[str, TerminalTheme] = {"light": DEFAULT_TERMINAL_THEME, "dark": MONOKAI}


def main() -> None:
    """Each screen at each size, in both colours."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        for name, lines in screens(size):
            for colours, theme in THEMES.items():
                path = folder / f"{name}-{size[0]}-{colours}.svg"
                path.write_text(svg(name, lines, size[0], theme), encoding="utf-8")


def screens(size: tuple[int, int]) -> Iterator[tuple[str, list[Line]]]:
    """Each page of a pair that is not well, the overview of one that is, and many clusters."""
    seed = reader.load(TOP / "hosts.toml")
    yield "healthy", screen(watched(pair(seed)), LiveView(), size)
    for page in get_args(Page):
        yield page, screen(watched(fault(seed)), LiveView(page=page), size)
    yield "clusters", fleet_screen(clusters(seed), LiveView(), size)


def svg(name: str, lines: list[Line], width: int, theme: TerminalTheme) -> str:
    """The picture, without the address of a font."""
    console = Console(record=True, width=width, file=open("/dev/null", "w"), theme=Theme(RICH))  # noqa: SIM115
    for line in lines:
        console.print(cell(*line), no_wrap=True, overflow="crop")
    drawn = console.export_svg(title=f"status --watch: {name}", theme=theme, unique_id=f"lbdeploy-{name}")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    main()
