"""Clusters that are watched, one or many: each is connected to on its own, so that one that hangs delays no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError
from lbdeploy.operations.watch.nodes import PERIOD, SOON, Watch, once
from lbdeploy.operations.watch.trends import Trends
from lbdeploy.ssh.pool import SessionPool

AT_ONCE = 5  # clusters that are connected to at a time: see PARALLEL of cli.commands.fleet
Connect = Callable[[], tuple[Cluster, SessionPool]]  # raises LbdeployError for a file that can't be read


class WatchedCluster:
    """A cluster under its short name: what is seen of it, or why nothing is."""

    def __init__(self, label: str, watch: Watch | None = None) -> None:
        self.label = label
        self.watch = watch
        self.error: LbdeployError | None = None
        self.trends = Trends()
        self._noted = 0.0

    def note(self) -> None:
        """Take note of how it is, as often as its nodes are looked at."""
        now = time.monotonic()
        if self.watch and now - self._noted >= PERIOD:
            self._noted = now
            self.trends.note(self.watch.status, time.time())


class WatchedClusters:
    """Connects to clusters in the background, and watches them, while it is open as a context manager."""

    def __init__(self, connects: Sequence[tuple[str, Connect]]) -> None:
        self.clusters = [WatchedCluster(label) for label, _ in connects]
        self._connects = [connect for _, connect in connects]
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watch")
        self._open = ExitStack()

    def __enter__(self) -> WatchedClusters:
        for cluster, connect in zip(self.clusters, self._connects, strict=True):
            self._threads.submit(self._begin, cluster, connect)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Looks in progress are not waited for: they change nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._open.close()

    def _begin(self, cluster: WatchedCluster, connect: Connect) -> None:
        try:
            known, pool = connect()
            self._open.push(pool)
            cluster.watch = self._open.enter_context(Watch(known, pool, once(known, pool, SOON)))
        except LbdeployError as error:
            cluster.error = error
        except Exception as error:  # one cluster's failure does not end the others
            what = f"a mistake in lbdeploy: {type(error).__name__}: {error}"
            cluster.error = LbdeployError(what, state="nothing was changed", fix=f"lbdeploy status of {cluster.label}")
