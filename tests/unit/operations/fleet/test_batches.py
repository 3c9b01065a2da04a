"""Which clusters go on at once, which come next, and when no more are begun."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest
from jobs import JOB, result

from lbdeploy.operations.fleet.batches import batches, carry_out
from lbdeploy.operations.fleet.job import ClusterResult, Job


def jobs(names: str) -> list[Job]:
    return [replace(JOB, file=name) for name in names.split()]


class Engine:
    """Begins jobs, and ends them at once with the exit code that their name tells."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, job: Job) -> Future[ClusterResult]:
        self.begun.append(job.file)
        future: Future[ClusterResult] = Future()
        future.set_result(result(job.file, int(job.file[-1])))
        return future


def test_all_are_done_whatever_happens_to_one() -> None:
    """Without canaries nothing stops the others."""
    engine = Engine()
    found = list(carry_out(jobs("a0 b4 c1 d3"), engine.begin, 2))
    assert engine.begun == ["a0", "b4", "c1", "d3"]
    assert sorted((each.file, each.exit_code) for each in found) == [("a0", 0), ("b4", 4), ("c1", 1), ("d3", 3)]


@pytest.mark.parametrize(
    ("names", "begun"),
    [
        ("a0 b0 c0 d0 e0", "a0 b0 c0 d0 e0"),
        ("a4 b0 c0", "a4"),
        ("a3 b0 c6 d0 e0", "a3 b0 c6"),  # changes that are pending are no failure; a batch is ended
    ],
)
def test_canaries_then_batches_until_one_fails(names: str, begun: str) -> None:
    """One first, then two at a time; every cluster has a result in the end."""
    engine = Engine()
    found = list(carry_out(jobs(names), engine.begin, 2, canary=1))
    assert engine.begun == begun.split()
    left = [each.file for each in found if each.exit_code is None]
    assert begun.split() + left == names.split()


def test_batches_have_the_size_that_goes_on_at_once() -> None:
    """All in one where there is no canary."""
    assert [[job.file for job in batch] for batch in batches(jobs("a b c d e f"), 2, 1)] == [
        ["a"], ["b", "c"], ["d", "e"], ["f"],
    ]  # fmt: skip
    assert len(batches(jobs("a b c"), 1, 0)) == 1


def test_who_asks_it_to_stop_waits_for_no_more_than_has_begun() -> None:
    """The rest is not begun."""
    engine = Engine()
    found = list(carry_out(jobs("a0 b0 c0"), engine.begin, 1, stop=lambda: len(engine.begun) == 2))
    assert [each.exit_code for each in found] == [0, 0, None]
