"""What a command imports, and how long each package takes, as `python -X importtime` counts it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

RUNS = 15
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
SHOWN = 8


def profile(argv: Sequence[str]) -> Counter[str]:
    """Microseconds for each package at the top, without those that it imports itself."""
    least: dict[str, int] = {}
    for _ in range(RUNS):
        command = [sys.executable, "-X", "importtime", *argv]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        taken = {module: int(took) for took, module in LINE.findall(done.stderr)}
        # The first run may keep something, so that later ones import less: what they import counts.
        least = {module: min(took, least.get(module, took)) for module, took in taken.items()}
    found: Counter[str] = Counter()
    for module, took in least.items():
        found["Python itself" if _standard(module) else module.partition(".")[0]] += took
    return found


def _standard(module: str) -> bool:
    return module.partition(".")[0] in {*sys.stdlib_module_names, "site", "_distutils_hack"}


def table(commands: dict[str, Sequence[str]]) -> str:
    """A line for each command: its total, and the packages that take longest."""
    lines = ["| command | ms | of that |", "| --- | --- | --- |"]
    for name, argv in commands.items():
        found = profile(argv)
        parts = ", ".join(f"{each} {took / 1000:.1f}" for each, took in found.most_common(SHOWN) if took > 1000)
        lines.append(f"| {name} | {found.total() / 1000:.0f} | {parts} |")
    return "\n".join(lines)
