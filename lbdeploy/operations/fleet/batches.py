"""The order of a run over many clusters: so many at a time, or canaries first and then batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from lbdeploy.operations.fleet.job import ClusterResult, Job, not_begun

Begin = Callable[
    [Job], "Future[ClusterResult]"
]  # the caller makes a ClusterResult also of what was cancelled, or failed unexpectedly

POLL_SECONDS = 1.0


def batches(jobs: Sequence[Job], parallel: int, canary: int) -> list[Sequence[Job]]:
    """Batches of jobs that may run at the same time. Without canaries there is one batch, and so no barrier."""
    if not canary:
        return [jobs]
    first, rest = jobs[:canary], jobs[canary:]
    return [first, *(rest[at : at + parallel] for at in range(0, len(rest), parallel))]


def carry_out(
    jobs: Sequence[Job], begin: Begin, parallel: int, canary: int = 0, stop: Callable[[], bool] = lambda: False
) -> Iterator[ClusterResult]:
    """The results, as they come. With canaries, a batch begins only if nothing in the ones before it has failed.

    `stop` is polled: once it is true, nothing more begins.
    """
    failed = False
    for batch in batches(jobs, parallel, canary):
        for result in _together(batch, begin, parallel, lambda held=failed: held or stop()):  # type: ignore[misc]
            failed = failed or (canary > 0 and result.failed)
            yield result


def _together(batch: Sequence[Job], begin: Begin, parallel: int, stop: Callable[[], bool]) -> Iterator[ClusterResult]:
    """The results of one batch, `parallel` jobs at a time."""
    waiting, under_way = deque(batch), set[Future[ClusterResult]]()
    while waiting or under_way:
        while waiting and len(under_way) < parallel and not stop():
            under_way.add(begin(waiting.popleft()))
        if not under_way:
            break
        done, under_way = wait(under_way, POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            yield future.result()
    yield from map(not_begun, waiting)
