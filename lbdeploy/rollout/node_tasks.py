"""Changing nodes: each by its own transaction, which the node finishes or undoes even if this process dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lbdeploy.config.model import Node
from lbdeploy.errors import ConnectError, LbdeployError, LostError, RolledBackError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.node.observation import PRELUDE
from lbdeploy.rollout.outcome import cut_off, going_on, kept_by_others, lost_for_good, outcome, worst
from lbdeploy.rollout.progress import Progress
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.transaction import FOLLOW_SECONDS, Task, Transaction
from lbdeploy.ssh.limits import WORK
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

RETURN_SECONDS = 120.0  # how long to wait for a node that closed the connection, for example to reboot
LATE_SECONDS = 20.0  # how long undoing may take, after the time for a confirmation has run out
RETRY_SECONDS = 1.0
AGREE_SECONDS = 30  # how long nodes may take to find out by themselves that a peer has undone what they have kept


class NodeTask:
    """One task on one node, under way. `earlier`: those that it has ended before, in the same stage."""

    def __init__(self, node: Node, task: Task, origin: Origin, emit: Emit, earlier: tuple[NodeTask, ...] = ()) -> None:
        self.node = node
        self.earlier = earlier
        self.transaction = Transaction(task, origin)
        self.progress = Progress(node.name, lambda text: emit(Step(node.name, text)))
        self.deadline = 0.0  # until when the node waits for a confirmation (monotonic, s)
        self.told_to_keep = False  # or it may have been: the connection was lost meanwhile

    def tell(self, session: Session, script: str) -> None:
        """Run one of the transaction's scripts, and read its output."""
        session.run(script, self.progress.line, WORK)
        if self.progress.waits and not self.deadline:
            self.deadline = time.monotonic() + (self.progress.awaiting or 0)

    def decide(self, session: Session, decision: str = "", limit: int = FOLLOW_SECONDS) -> None:
        """Send a decision (go, confirm, abandon, agreed), if any; follow the task to its end, or for `limit` s."""
        self.told_to_keep = self.told_to_keep or decision == "confirm"
        self.tell(session, self.transaction.follow(self.progress.lines_read, decision, limit))

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
    def confirmed(self, *, apart: bool = False) -> Iterator[None]:
        """What has begun in the block is confirmed after it; where anything fails, it is undone.

        `apart`: peers do not hear each other meanwhile, so one is undone after another.

        Raises the error that led to that, with the state that things are in then.
        """
        try:
            yield
            self.confirm()
        except LbdeployError as error:
            raise self.abandon(error, apart=apart) from None

    def begin(self, tasks: Mapping[str, Task]) -> None:
        """Do the tasks side by side, until each waits for a decision, or has ended. Raises the first one's error."""
        nodes = [node for node in self._nodes if node.name in tasks]
        for node in nodes:
            last = self.under_way.get(node.name)
            earlier = (*last.earlier, last) if last else ()
            self.under_way[node.name] = NodeTask(node, tasks[node.name], self._origin, self._emit, earlier)
        _raise_worst(self._pool.each(nodes, self._begin).values())

    def go_on(self) -> None:
        """Have all nodes that are ready take the step on which they must agree, at once. Raises the worst error."""
        ready = [work for work in self.under_way.values() if work.progress.ready]
        for work in ready:
            work.deadline = 0.0  # it will say anew how long it waits
        _raise_worst(self._pool.each([work.node for work in ready], self._go).values())

    def watch(self, scripts: Mapping[str, str]) -> None:
        """Have holders announce their VIPs, should a standby die that has them, too. One that can't is told of.

        Raises the error of a connection that is lost.
        """
        nodes = [node for node in self._nodes if node.name in scripts]
        done = self._pool.each(nodes, lambda node, session: session.run(PRELUDE + scripts[node.name], limits=WORK))
        _raise_worst(done.values())
        for name, each in done.items():
            if not isinstance(each, LbdeployError) and each.status:
                said = each.output.strip() or f"exit status {each.status}"
                self._emit(
                    Note(name, f"would not announce the VIPs again, should the other node die now: {said[-200:]}")
                )

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
            error = self._keep(nodes, sessions)
        finally:
            for session in sessions.values():
                session.close()
        works = list(self.under_way.values())
        self.under_way.clear()
        if error:
            raise error if len(works) == 1 else outcome(error, works)

    def _keep(self, nodes: Sequence[Node], sessions: Mapping[str, Session]) -> LbdeployError | None:
        """Tell nodes that their changes may stay. Those that must agree are told, too, once all have kept theirs.

        From the first one told on, nothing is undone from here: a node that was not reached, or had undone its change,
        and those that have kept theirs come to agree by themselves.
        """
        results = dict(self._pool.each(nodes, self._telling(sessions, "confirm")))
        works = [self.under_way[node.name] for node in nodes]
        agreed = all(work.progress.agrees or work.progress.exit == 0 for work in works)
        watching = [work.node for work in works if work.progress.agrees and work.progress.exit is None]
        if watching:
            told = self._telling(sessions, "agreed") if agreed else self._telling(sessions, "", AGREE_SECONDS)
            results |= self._pool.each(watching, told)
        return worst(list(results.values()))

    def _telling(
        self, sessions: Mapping[str, Session], decision: str, limit: int = FOLLOW_SECONDS
    ) -> Callable[[Node, Session], None]:
        return lambda node, _: self._end(node, sessions[node.name], decision, limit)

    def abandon(self, cause: LbdeployError, *, apart: bool = False) -> LbdeployError:
        """Undo the waiting changes. Returns the error to raise: cause and outcome.

        Where one is undone after another, those that linger come last: former holders have the VIPs again by then.
        """
        waiting = sorted(self._waiting(), key=lambda node: self.under_way[node.name].transaction.task.linger > 0)
        for group in [[node] for node in waiting] if apart else [waiting]:
            self._pool.each(group, self._abandon)
        works = list(self.under_way.values())
        self.under_way.clear()
        told = not waiting and (len(works) < 2 or not isinstance(cause, RolledBackError))  # by the only node concerned
        return kept_by_others(cause, works) if told else outcome(cause, works)

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
        self._told(work, lambda: work.tell(session, work.transaction.launch()))

    def _go(self, node: Node, session: Session) -> None:
        work = self.under_way[node.name]
        self._told(work, lambda: work.decide(session, "go"), "go")

    def _told(self, work: NodeTask, tell: Callable[[], None], decision: str = "") -> None:
        """Tell a node something, over another connection where this one is lost. Raises what went wrong there."""
        try:
            tell()
        except LostError as lost:
            if lost.silent and not work.progress.acted:
                raise lost.but(state=going_on(work)) from None
            # The node closed the connection, perhaps to reboot; or its change has cut it off, and it will undo that.
            self._rejoin(work, time.monotonic() + RETURN_SECONDS, decision)
            if work.progress.undecided and work.progress.restored:
                raise cut_off(work, lost) from None
        if work.error:
            raise work.error
        rehearsed, ready = work.transaction.task.rehearsal, work.progress.ready
        self._emit(Done(work.node.name, "rehearsed" if rehearsed else "ready" if ready else "changed"))

    def _end(self, node: Node, session: Session, decision: str, limit: int) -> None:
        work = self.under_way[node.name]
        try:
            work.decide(session, decision, limit)
        except LostError:
            self._rejoin(work, work.deadline + LATE_SECONDS, decision)
        if work.error:
            raise work.error
        if work.progress.exit == 0:
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
        words = {True: "as before", False: "not as before", None: "whether it is as before is not known"}
        self._emit(Done(node.name, words[work.progress.restored], ok=False))

    def _rejoin(self, work: NodeTask, deadline: float, decision: str = "") -> None:
        """Reconnect to the node, and follow its task. Raises LostError where it can't be reached in time."""
        self._emit(Step(work.node.name, "wait for the node to be there again"))
        while True:
            try:
                work.decide(self._pool.reopen(work.node), decision)
            except ConnectError as error:
                if time.monotonic() > deadline:
                    raise lost_for_good(work, error) from None
                time.sleep(RETRY_SECONDS)
            else:
                return


def _raise_worst(results: Iterable[object]) -> None:
    error = worst(list(results))
    if error:
        raise error
