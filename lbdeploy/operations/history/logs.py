"""The logs that runs have left on this machine: which of them are about a hosts.toml."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.common.paths import absolute, logs


def logs_of(file: Path) -> list[Path]:
    """Those of runs that worked on this file, as they say in their third line; the latest first."""
    named = str(absolute(file))
    recent = sorted(logs().glob("*.log"), key=lambda path: path.name, reverse=True)
    return [path for path in recent if named in _files(path).split(", ")]


def _files(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [file.readline() for _ in range(3)][2].strip()
    except OSError:
        return ""
