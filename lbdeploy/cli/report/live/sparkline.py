"""Numbers over time, drawn in one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lbdeploy.cli.report.terminal import draws_boxes

BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.:-=+*#"


def sparkline(values: Sequence[int | None], width: int, most: int) -> str:
    """The latest values, the latest last; `most` is as high as it gets. What is not known is left blank."""
    levels = BLOCKS if draws_boxes() else ASCII
    drawn = "".join(_level(each, most, levels) for each in values[-width:]) if width > 0 else ""
    return drawn.rjust(width)


def _level(value: int | None, most: int, levels: str) -> str:
    if value is None:
        return " "
    if not value or not most:
        return levels[0]
    return levels[min(1 + value * (len(levels) - 1) // (most + 1), len(levels) - 1)]
