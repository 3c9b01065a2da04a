"""The SSH sessions to a cluster's nodes, opened and used in parallel. A failed node is an entry, not an exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node, Ssh
from lbdeploy.errors import ConnectError, InterruptedRunError, LbdeployError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.ssh.config import Resolving
from lbdeploy.ssh.connect import dial
from lbdeploy.ssh.prompts import ask_pending, is_question

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

T = TypeVar("T")
WORKERS = 3  # threads a node: one connects, one works, one may still be stuck in work that was given up on


class SessionPool:
    """Connections to a cluster's nodes, or to those named in `limit`. As a context manager, it closes them.

    Connecting begins at once, in the background.
    """

    def __init__(self, cluster: Cluster, emit: Emit, *, ssh: Ssh | None = None, limit: Sequence[str] = ()) -> None:
        ssh = ssh or cluster.ssh
        self.nodes = tuple(node for node in cluster.nodes if not limit or node.name in limit)
        self._emit = emit
        self._ssh = ssh
        self._threads = ThreadPoolExecutor(max(WORKERS * len(self.nodes), 1), thread_name_prefix="lbdeploy")
        resolving = [Resolving(ssh, node.host) for node in self.nodes]  # `ssh -G` runs while the rest is imported
        for node in self.nodes:
            emit(Step(node.name, "connect"))
        self._sessions: dict[str, Future[Session]] = {
            node.name: self._threads.submit(self._open, node, each)
            for node, each in zip(self.nodes, resolving, strict=True)
        }
        # Import fabric now: it takes as long as `ssh -G` takes to resolve the hosts and sshd to send its banner.
        from lbdeploy.ssh.transport import session  # noqa: F401

    def __enter__(self) -> SessionPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not InterruptedRunError:  # leaving at once does not wait for an orderly close
            self.close()

    def each(
        self, nodes: Iterable[Node], work: Callable[[Node, Session], T], patience: float | None = None
    ) -> dict[str, T | LbdeployError]:
        """What `work` returned for each node, or the error that ended it, by name and in the order given.

        Where a login failed for want of a person's answer, the answer is asked for, and `work` is started again there.
        `patience`: how many seconds to wait for further nodes after the last result, once one has succeeded.
        """
        nodes = tuple(nodes)
        results = self._at_once(nodes, work, patience)
        while ask_pending(results.values(), self._ssh.answers):
            again = [node for node in nodes if is_question(results[node.name])]
            for node in again:
                self._open_again(node)
            results |= self._at_once(again, work, patience)
        return results

    def another(self, node: Node) -> Session:
        """A second connection, which the caller closes. Raises ConnectError and its subclasses."""
        return self._open(node, Resolving(self._ssh, node.host))

    def reopen(self, node: Node) -> Session:
        """Replace a lost connection by a new one. Raises ConnectError and its subclasses."""
        opened: Future[Session] = Future()
        opened.set_result(self.another(node))
        old, self._sessions[node.name] = self._sessions[node.name], opened
        _close(old)
        return opened.result()

    def close(self) -> None:
        """Close every connection, including those that are still being opened."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for future in self._sessions.values():
            _close(future)

    def _open(self, node: Node, resolving: Resolving) -> Session:
        try:
            target = resolving.result()
            dialled = dial(node, target)  # before the import: sshd prepares itself meanwhile
            from lbdeploy.ssh.transport.session import connect

            session = connect(node, target, self._ssh, dialled, self._emit)
        except LbdeployError as error:
            raise error.at(node.name) from None
        if session.news:
            self._emit(Note(node.name, session.news))
        return session

    def _open_again(self, node: Node) -> None:
        if self._sessions[node.name].exception():
            self._emit(Step(node.name, "connect"))
            self._sessions[node.name] = self._threads.submit(self._open, node, Resolving(self._ssh, node.host))

    def _at_once(
        self, nodes: Sequence[Node], work: Callable[[Node, Session], T], patience: float | None
    ) -> dict[str, T | LbdeployError]:
        futures = {node.name: self._threads.submit(self._on, node, work) for node in nodes}
        late = _late(futures.values(), patience)
        return {name: self._given_up(name) if each in late else each.result() for name, each in futures.items()}

    def _given_up(self, name: str) -> ConnectError:
        error = ConnectError(
            "it has not answered yet, though others have",
            node=name,
            state="whether it can be reached is not known",
            fix=typed("verify", after=" waits longer for it"),
        )
        self._emit(Done(name, error.message, ok=False))
        return error

    def _on(self, node: Node, work: Callable[[Node, Session], T]) -> T | LbdeployError:
        try:
            return work(node, self._sessions[node.name].result())
        except LbdeployError as error:
            if not (self._ssh.answers.asker and is_question(error)):
                self._emit(Done(node.name, error.message, ok=False))
            return error.at(node.name)


def _late(futures: Iterable[Future[T | LbdeployError]], patience: float | None) -> set[Future[T | LbdeployError]]:
    """Wait for all; those still pending once one has succeeded and nothing more came for `patience` seconds."""
    done: set[Future[T | LbdeployError]] = set()
    pending = set(futures)
    while pending:
        answered = any(not isinstance(each.result(), LbdeployError) for each in done)
        try:
            more, pending = wait(pending, patience if answered else None, FIRST_COMPLETED)
        except RuntimeError as error:  # Ctrl-C came between a lock and the block that gives it back
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
        if not more:
            break
        done |= more
    return pending


def _close(session: Future[Session]) -> None:
    """Close it now, or as soon as it is open."""
    session.add_done_callback(_end)


def _end(session: Future[Session]) -> None:
    if not session.cancelled() and not session.exception():
        session.result().close()
