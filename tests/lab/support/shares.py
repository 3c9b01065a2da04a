"""Several pytest processes share the tests on nodes, file by file: whoever is free takes the next one.

Files with many tests come first, so that all processes end at about the same time, whatever is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest


def run_share(session: pytest.Session, taken: Path) -> None:
    """Run the tests of those files that no process with the same folder `taken` has begun; it has a file for each.

    Raises pytest's own exceptions where it is told to stop.
    """
    items = _share(session.items, taken)
    item = next(items, None)
    while item:
        following = next(items, None)  # pytest keeps the fixtures that it needs: the lab goes with the last test
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following


def _share(items: list[pytest.Item], taken: Path) -> Iterator[pytest.Item]:
    files = [list(tests) for _, tests in groupby(items, lambda item: item.path)]
    for tests in sorted(files, key=len, reverse=True):
        if _take(taken / tests[0].path.name):
            yield from tests


def _take(mark: Path) -> bool:
    """Whether nobody has taken it before."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
