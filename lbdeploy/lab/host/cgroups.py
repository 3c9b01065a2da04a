"""Control groups: each node has its own; else one node's systemd would find another's services among its own."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from lbdeploy.lab.host.paths import Place

_ROOT = Path("/sys/fs/cgroup")


def _hierarchies() -> list[Path]:
    """The hierarchies that systemd uses: one, or two on a machine that still has version 1."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [path for path in (_ROOT / "systemd", _ROOT / "unified") if path.is_dir()]


def is_unified() -> bool:
    """Whether nodes can have version 2, as Debian has it since bullseye; systemd 257 insists on it."""
    return any((path / "cgroup.controllers").exists() for path in _hierarchies())


def trees(place: Place) -> list[Path]:
    """The lab's groups, one in each hierarchy. Nodes have theirs below."""
    return [path / "lbdeploy-lab" / place.id for path in _hierarchies()]


def remove(place: Place, patience: float = 5.0) -> None:
    """Removes the groups of all nodes, whose last processes may still be ending."""
    deadline = time.monotonic() + patience
    for tree in trees(place):
        while tree.exists() and time.monotonic() < deadline:
            for directory, _, _ in os.walk(tree, topdown=False):
                _rmdir(Path(directory))
            time.sleep(0.01 if tree.exists() else 0)
        _rmdir(tree.parent)


def _rmdir(path: Path) -> None:
    with suppress(OSError):  # in use, by another lab or still by this one; or never made
        path.rmdir()
