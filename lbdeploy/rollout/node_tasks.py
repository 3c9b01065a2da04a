"""Changing nodes: each by its own transaction, which the node finishes or undoes even if this process dies."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lbdeploy.config.model import Node
from lbdeploy.errors import ConnectError, LbdeployError, LostError, RemoteError, RolledBackError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.rollout.origin import Origin
from lbdeploy.rollout.progress import Progress
from lbdeploy.rollout.transaction import Task, Transaction
from lbdeploy.ssh.limits import WORK
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

RETURN_SECONDS = 120.0  # how long to wait for a node that closed the connection, for example to reboot
LATE_SECONDS = 20.0  # how long undoing may take, after the time for a confirmation has run out
RETRY_SECONDS = 1.0


class NodeTask:
    """One task on one node, under way."""

    def __init__(self, node: Node, task: Task, origin: Origin, emit: Emit) -> None:
        self.node = node
        self.transaction = Transaction(task, origin)
        self.progress = Progress(node.name, lambda text: emit(Step(node.name, text)))
        self.deadline = 0.0  # until when the node waits for a confirmation (monotonic, s)

    def tell(self, session: Session, script: str) -> None:
        """Run one of the transaction's scripts, and read its output."""
        session.run(script, self.progress.line, WORK)
        if self.progress.waits and not self.deadline:
            self.deadline = time.monotonic() + (self.progress.awaiting or 0)

    def decide(self, session: Session, decision: str = "") -> None:
        """Send a decision (confirm, abandon), if any, and follow the task to its end."""
        self.tell(session, self.transaction.follow(self.progress.lines_read, decision))

    @property
    def error(self) -> LbdeployError | None:
        return self.progress.error(self.transaction.task.plan)


class NodeTasks:
    """The tasks of a stage, on some of `nodes`. What has begun must be confirmed or abandoned: see `confirmed`."""

    def __init__(self, pool: SessionPool, nodes: Sequence[Node], origin: Origin, emit: Emit) -> None:
        self._pool = pool
        self._nodes = nodes
        self._origin = origin
        self._emit = emit
        self.under_way: dict[str, NodeTask] = {}

    @contextmanager
    def confirmed(self, order: Sequence[str] = ()) -> Iterator[None]:
        """What has begun in the block is confirmed after it; where anything fails, it is undone, in this order if any.

        Raises the error that led to that, with the state that things are in then.
        """
        try:
            yield
            self.confirm()
        except LbdeployError as error:
            raise self.abandon(error, order) from None

    def begin(self, tasks: Mapping[str, Task]) -> None:
        """Do the tasks side by side, until each waits for a decision, or has ended. Raises the first one's error."""
        nodes = [node for node in self._nodes if node.name in tasks]
        for node in nodes:
            self.under_way[node.name] = NodeTask(node, tasks[node.name], self._origin, self._emit)
        _raise_worst(self._pool.each(nodes, self._begin).values())

    def linger(self, names: Sequence[str]) -> None:
        """Tell waiting nodes that other nodes are about to depend on them. Raises the first one's error."""
        nodes = [node for node in self._waiting() if node.name in names]
        scripts = {node.name: self.under_way[node.name].transaction.linger() for node in nodes}
        _raise_worst(self._pool.each(nodes, lambda node, session: session.run(scripts[node.name])).values())

    def confirm(self) -> None:
        """Confirm the changes, over new connections: that these can be made is part of what is confirmed.

        No node is told before all can be reached. Raises RolledBackError, or the error of what happened instead.
        """
        nodes = self._waiting()
        reached = self._pool.each(nodes, lambda node, _: self._reach(node))
        sessions = {name: each for name, each in reached.items() if not isinstance(each, LbdeployError)}
        try:
            _raise_worst(reached.values())
            results = self._pool.each(nodes, lambda node, _: self._end(node, sessions[node.name], "confirm"))
        finally:
            for session in sessions.values():
                session.close()
        self.under_way.clear()
        _raise_worst(results.values())

    def abandon(self, cause: LbdeployError, order: Sequence[str] = ()) -> LbdeployError:
        """Undo the waiting changes, in parallel or in an order. Returns the error to raise: cause and outcome."""
        waiting = self._waiting()
        if not waiting:
            self.under_way.clear()
            return cause
        groups = [[node] for name in order for node in waiting if node.name == name] if order else [waiting]
        for group in groups:
            self._pool.each(group, self._abandon)
        works = list(self.under_way.values())
        self.under_way.clear()
        return _undone(cause, works)

    def reach(self, names: Sequence[str]) -> None:
        """Reconnect to nodes whose connection is dead, retrying for a while. Raises the first one's error."""
        nodes = [node for node in self._nodes if node.name in names]
        _raise_worst(self._pool.each(nodes, self._revive).values())

    def _revive(self, node: Node, session: Session) -> None:
        deadline = time.monotonic() + LATE_SECONDS
        while not session.alive:
            try:
                session = self._pool.reopen(node)
            except ConnectError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def _waiting(self) -> list[Node]:
        return [work.node for work in self.under_way.values() if work.progress.waits]

    def _begin(self, node: Node, session: Session) -> None:
        work = self.under_way[node.name]
        try:
            work.tell(session, work.transaction.launch())
        except LostError as lost:
            if lost.silent and not work.progress.acted:
                raise lost.but(state=going_on(work)) from None
            # The node closed the connection, perhaps to reboot; or its change has cut it off, and it will undo that.
            self._rejoin(work, time.monotonic() + RETURN_SECONDS)
            if work.progress.undecided and work.progress.restored:
                raise _cut_off(work, lost) from None
        if work.error:
            raise work.error
        self._emit(Done(node.name, "rehearsed" if work.transaction.task.rehearsal else "changed"))

    def _end(self, node: Node, session: Session, decision: str) -> None:
        work = self.under_way[node.name]
        try:
            work.decide(session, decision)
        except LostError:
            self._rejoin(work, work.deadline + LATE_SECONDS, decision)
        if work.error:
            raise work.error
        self._emit(Done(node.name, "confirmed"))

    def _reach(self, node: Node) -> Session:
        """A new connection, retried until the node stops waiting. Raises ConnectError and its subclasses."""
        work = self.under_way[node.name]
        self._emit(Step(node.name, "confirm over a new connection"))
        while True:
            try:
                return self._pool.another(node)
            except LbdeployError as error:
                if time.monotonic() > work.deadline - RETRY_SECONDS:
                    what = f"after the change, no new SSH connection to it can be made: {error.message}"
                    raise error.but(message=what) from None
                time.sleep(RETRY_SECONDS)

    def _abandon(self, node: Node, session: Session) -> None:
        work = self.under_way[node.name]
        self._emit(Step(node.name, "undo the change"))
        try:
            work.decide(session, "abandon")
        except LostError:
            with suppress(LostError):  # then the node's own timeout runs out, and it undoes the change anyway
                self._rejoin(work, work.deadline + LATE_SECONDS, "abandon")
        self._emit(Done(node.name, "as before" if work.progress.restored else "not as before", ok=False))

    def _rejoin(self, work: NodeTask, deadline: float, decision: str = "") -> None:
        """Reconnect to the node, and follow its task. Raises LostError where it can't be reached in time."""
        self._emit(Step(work.node.name, "wait for the node to be there again"))
        while True:
            try:
                work.decide(self._pool.reopen(work.node), decision)
            except ConnectError as error:
                if time.monotonic() > deadline:
                    raise _lost(work, error) from None
                time.sleep(RETRY_SECONDS)
            else:
                return


def _raise_worst(results: Iterable[object]) -> None:
    """Raise the most important error, if any: what could not be restored takes precedence over what could."""
    errors = [each for each in results if isinstance(each, LbdeployError)]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, RolledBackError))


def _cut_off(work: NodeTask, lost: LostError) -> RolledBackError:
    return RolledBackError(
        f"the node could not be reached any more after the change ({lost.message})",
        node=work.node.name,
        state=f"it has undone the change by itself {work.progress.awaiting} s later, and is as before",
        fix="fix the cause, then: lbdeploy plan",
    )


def _lost(work: NodeTask, error: ConnectError) -> LostError:
    return LostError(
        f"the node was lost, and did not come back: {error.message}",
        node=work.node.name,
        state=going_on(work),
        fix="lbdeploy verify, once it can be reached",
        silent=True,
    )


def going_on(work: NodeTask) -> str:
    """What a node does by itself once the connection is gone, and how to check on it."""
    name, step = work.node.name, work.progress.step
    if work.progress.waits:
        return f"{name} undoes its change by itself, within seconds, since nobody confirms it"
    if work.progress.exit is not None:
        return f"{name} has ended: {step}"
    look = f"to look: ssh {work.node.host} sudo tail -f {work.transaction.log}"
    return f"{name} goes on by itself with: {step}; it finishes, or puts everything back ({look})"


def _undone(cause: LbdeployError, works: Sequence[NodeTask]) -> LbdeployError:
    """The error that led to undoing a change, with the present state added."""
    open_ = [work for work in works if work.progress.waits]
    lasting = [work for work in works if work.progress.restored is False]
    installed = [work for work in works if any(each.kind == "package" for each in work.transaction.task.plan.changes)]
    names = " and ".join(work.node.name for work in works)
    fix = cause.fix or "fix the cause, then: lbdeploy plan"
    if open_:
        state = "; ".join(going_on(work) for work in open_)
        return LostError(cause.message, node=cause.node, state=state, fix="lbdeploy verify", detail=cause.detail)
    if lasting:
        state = f"not everything could be put back on {' and '.join(work.node.name for work in lasting)}"
        return RemoteError(cause.message, node=cause.node, state=state, fix="lbdeploy plan", detail=cause.detail)
    kind = RemoteError if installed else RolledBackError
    state = f"{names}: as before" + ("; packages that were installed stay" if installed else "")
    return kind(cause.message, node=cause.node, state=state, fix=fix, detail=cause.detail)
