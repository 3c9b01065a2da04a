"""Observing every node of a cluster repeatedly, each on its own, so that one that hangs delays no other."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError
from lbdeploy.operations.status import Look, Snapshot, Status, looks, together
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

PERIOD = 2.0  # seconds between two observations of a node
LATE = 2 * PERIOD  # seconds after which a node that does not answer is shown as silent
PATIENCE = 3.0  # seconds to wait for further nodes, once one has answered
SOON = 0.5  # the same for a live screen, on which they may still appear


@dataclass
class LastSnapshot:
    """What is known of a node: the last snapshot and when it was made, and why there is none since (monotonic, s)."""

    snapshot: Snapshot | None = None
    at: float = 0.0
    error: LbdeployError | None = None

    @property
    def silent(self) -> float:
        """For how many seconds nothing was heard from it; 0 where that is not late."""
        quiet = time.monotonic() - self.at
        return quiet if self.snapshot and (self.error or quiet > LATE) else 0.0


def once(cluster: Cluster, pool: SessionPool, patience: float = PATIENCE) -> Status:
    """Observe every node once, with one remote command each; wait for one that hangs no longer than `patience`."""
    scripts = looks(cluster, pool.nodes)
    found = pool.each(pool.nodes, lambda node, session: _look(scripts[node.name], session), patience)
    return together(cluster, found)


def _look(look: Look, session: Session) -> Snapshot:
    return look.read(session.run(look.script()).output)


def _silence(name: str, seen: LastSnapshot) -> LbdeployError:
    if not seen.snapshot and seen.error:
        return seen.error
    why = f": {seen.error.message}" if seen.error else ""
    what = f"nothing was heard from it for {seen.silent:.0f} s{why}"
    state = "unknown; what is shown is what it said last"
    return LbdeployError(what, node=name, state=state, fix=typed("verify"))


class Watch:
    """Observes the nodes while it is open as a context manager. A connection that dies is replaced."""

    def __init__(self, cluster: Cluster, pool: SessionPool, first: Status) -> None:
        self.cluster = cluster
        self._pool = pool
        self._over = threading.Event()
        now = time.monotonic()
        self.seen = {
            node.name: LastSnapshot(first.nodes.get(node.name), now, first.errors.get(node.name)) for node in pool.nodes
        }

    def __enter__(self) -> Watch:
        for node in self._pool.nodes:
            threading.Thread(target=self._watch, args=(node,), name=f"watch {node.name}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Don't wait: an observation in progress changes nothing, and ends with its connection."""
        self._over.set()

    @property
    def silent(self) -> dict[str, float]:
        """The nodes from which nothing is heard, and for how long (s)."""
        return {name: seen.silent for name, seen in self.seen.items() if seen.silent}

    @property
    def last(self) -> dict[str, Snapshot]:
        """What each node said last, also one that is silent now."""
        return {name: seen.snapshot for name, seen in self.seen.items() if seen.snapshot}

    @property
    def status(self) -> Status:
        """The status as far as it is known: of a silent node, only that it is silent."""
        quiet = self.silent
        results: dict[str, Snapshot | LbdeployError] = {}
        for name, seen in self.seen.items():
            if seen.snapshot and name not in quiet:
                results[name] = seen.snapshot
            else:
                results[name] = _silence(name, seen)
        return together(self.cluster, results)

    def _watch(self, node: Node) -> None:
        look = Look(self.cluster, node)
        while not self._over.wait(PERIOD):
            self._note(node.name, self._again(node, look))

    def _again(self, node: Node, look: Look) -> Snapshot | LbdeployError:
        """Observe it once, over a new connection where the last one has failed."""
        if self.seen[node.name].error:
            try:
                self._pool.reopen(node)
            except LbdeployError as error:
                return error
        return self._pool.each([node], lambda _, session: _look(look, session))[node.name]

    def _note(self, name: str, result: Snapshot | LbdeployError) -> None:
        old = self.seen[name]
        if isinstance(result, Snapshot):
            self.seen[name] = LastSnapshot(result, time.monotonic())
        else:
            self.seen[name] = LastSnapshot(old.snapshot, old.at, result)
