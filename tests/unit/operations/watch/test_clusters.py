"""Many clusters that are watched at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest
from statuses import pair

from lbdeploy.config.model import Cluster
from lbdeploy.errors import UsageError
from lbdeploy.events import silent
from lbdeploy.operations.watch.clusters import Connect, WatchedClusters
from lbdeploy.ssh.pool import SessionPool


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def good(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A cluster whose nodes answer."""
    monkeypatch.setattr("lbdeploy.operations.watch.clusters.once", lambda *_: pair(seed))
    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool._open", lambda *_: None)
    return lambda: (seed, SessionPool(seed, silent))


def bad() -> tuple[Cluster, SessionPool]:
    raise UsageError("no such file")


def broken() -> tuple[Cluster, SessionPool]:
    raise ValueError("a surprise")


def test_one_that_fails_does_not_end_the_others(good: Connect) -> None:
    """Each is either watched, or has the error that keeps it from being."""
    with WatchedClusters([("a", good), ("b", bad), ("c", broken)]) as watched:
        until(lambda: all(each.watch or each.error for each in watched.clusters))
        told = [each.error.message if each.error else "" for each in watched.clusters]
    assert told == ["", "no such file", "a mistake in lbdeploy: ValueError: a surprise"]


def test_one_that_is_slow_delays_nobody(good: Connect) -> None:
    seen = Event()

    def slow() -> tuple[Cluster, SessionPool]:
        seen.wait(20)
        raise UsageError("too late")

    with WatchedClusters([("slow", slow), ("a", good)]) as watched:
        until(lambda: watched.clusters[1].watch is not None)
        assert (watched.clusters[0].watch, watched.clusters[0].error) == (None, None)
        seen.set()


def test_it_is_noted_as_often_as_nodes_are_looked_at(good: Connect) -> None:
    with WatchedClusters([("a", good)]) as watched:
        (cluster,) = watched.clusters
        cluster.note()  # not connected yet, maybe: that is no fault
        until(lambda: cluster.watch is not None)
        for _ in range(5):
            cluster.note()
    assert len(cluster.trends.values("rate", "lb1")) == 1
