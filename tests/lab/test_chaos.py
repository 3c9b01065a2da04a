"""A few runs of chaos; `make chaos` has more. See docs/chaos.md."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from chaos import Chaos, draw
from harness import Lab

SEED = int(os.environ.get("SEED") or 1)  # of the first run; the others have the next ones


@pytest.fixture(scope="module")
def chaos(session_lab: Lab) -> Iterator[Chaos]:
    """Runs on the pair of all tests, which finds its hosts.toml again afterwards."""
    chaos = Chaos(session_lab)
    yield chaos
    chaos.pair.original()
    chaos.pair.add_machines()


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2))])
def test_whatever_fails_in_the_middle_of_a_change_the_pair_stays_sound(chaos: Chaos, number: int) -> None:
    """A random fault at a random moment of a random change costs clients no more than the table allows."""
    report = chaos.run(draw(SEED + number))
    if report.wrong:
        pytest.fail(report.text(), pytrace=False)
