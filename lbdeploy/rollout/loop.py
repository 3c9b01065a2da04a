"""The run loop of up, rollback, rebuild and down: a plan, the lock, one stage after another, and the final state.

What differs between the commands is in their `Purpose`.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from lbdeploy.common.typed import Typed, typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import InterruptedRunError, LbdeployError, RebootedError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.node.observation import Observation
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.rollout.interrupt import Interrupt
from lbdeploy.rollout.lock import Lock, locking, waiting
from lbdeploy.rollout.observer import POLL_SECONDS, Observer, Wanted
from lbdeploy.rollout.outcome import going_on, halfway
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.rollout.node_tasks import NodeTasks

FRESH_SECONDS = 1.0  # nothing is begun by a look at the nodes that is older
UP, PLAN, FORCED = typed("up"), typed("plan"), typed("up", "--force-last")
LOCK_AGAIN_SECONDS = 30.0  # until another run, which can't have the other nodes, has let go; or a task that has ended
PREEMPT_SECONDS = 30.0  # VIPs that move later than in so many seconds are not waited for: most runs are over by then
REBOOTS = 2  # how often a run continues after a node rebooted in the middle of it


class RunContext:
    """What all parts of one run work with, on the nodes of `pool`, which may still be connecting to them.

    `scope` are the nodes that may be changed.
    """

    def __init__(self, cluster: Cluster, pool: SessionPool, emit: Emit, origin: Origin, options: Options) -> None:
        self.cluster = cluster
        self.pool = pool
        self.emit = emit
        self.origin = origin
        self.options = options
        self.observer = Observer(cluster, pool, emit)
        self.interrupt = Interrupt(emit)
        names = [node.name for node in self.observer.nodes]
        self.scope = frozenset(name for name in names if not options.limit or name in options.limit)

    @cached_property
    def tasks(self) -> NodeTasks:
        """What changes the nodes; most runs find nothing to change."""
        from lbdeploy.rollout.node_tasks import NodeTasks

        return NodeTasks(self.pool, self.observer.nodes, self.origin, self.emit)

    def locked(self, survey: Survey) -> AbstractContextManager[Lock]:
        """The lock of all nodes that were seen. Raises LockedError where it is another run's for too long."""
        nodes = [node for node in self.observer.nodes if node.name in survey.seen]
        return locking(self.pool, nodes, self.origin.about, self.options.lock_wait, self.emit)


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins with: the nodes as they were observed, the plan, and what the nodes should have from then on.

    `force_last`: a node may also be changed where no other one could take over meanwhile. `reboots`: how often the run
    may continue after a node rebooted in the middle of it; `earlier`: the nodes as they were found before that.
    """

    survey: Survey
    wanted: Wanted
    plan: Plan
    force_last: bool = False
    reboots: int = REBOOTS
    earlier: Mapping[str, Observation] = field(default_factory=dict)

    @property
    def found(self) -> dict[str, Observation]:
        """The nodes that may be changed, as the run found them: none has been changed by then."""
        return {**self.survey.observations, **self.earlier}


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: what it began with, the nodes that it changed, and all nodes as they are now."""

    start: Start
    done: tuple[str, ...]
    survey: Survey


@dataclass(frozen=True, slots=True)
class Wording:
    """What a run says when it does not come to its end, and what to type then.

    `changed` describes nodes that are done, whose names replace `{}`. `halted`: after Ctrl-C between two stages.
    `interrupted`: after Ctrl-C in the middle of one. `outdated`: the nodes have changed since it was approved.
    `again`: the same once more; `look`: what is left to do; `forced`: once more, also on the last healthy node, or ""
    where that can't be.
    """

    changed: str
    declined_fix: str
    halted_fix: str
    interrupted_fix: str
    outdated: str
    outdated_fix: str
    again: Typed
    look: Typed
    forced: str = ""

    def advice(self, fix: str | None) -> str | None:
        """What an error advises, for this command: what is raised for all of them speaks of `up` and `plan`."""
        if not isinstance(fix, Typed):
            return fix
        if fix.words == FORCED.words:
            return fix.replace(FORCED, self.forced) if self.forced else fix.partition(FORCED)[0].rpartition("; ")[0]
        own = {UP.words: self.again, PLAN.words: self.look}.get(fix.words, fix)
        return fix if own.words == fix.words else Typed(fix.replace(shlex.join(fix.words), own), own.words)

    def done(self, names: Sequence[str]) -> list[str]:
        """What is to be said of the nodes that are done; nothing if there are none."""
        return [self.changed.format(" and ".join(names))] if names else []


class Purpose(Protocol):
    """What one command does in its own way. `settles`: its end takes a while, so it heeds Ctrl-C before that, too."""

    @property
    def wording(self) -> Wording: ...

    @property
    def settles(self) -> bool: ...

    def start(self) -> Start:
        """Observe the nodes, and plan. Raises LbdeployError where the run must not begin."""

    def perform(self, start: Start, stage: Stage, before: Survey) -> None:
        """Change the nodes of a stage, and confirm; otherwise undo it, and raise."""

    def look(self, start: Start) -> Survey:
        """The nodes before the next stage."""

    def recover(self, error: LbdeployError, start: Start, done: Sequence[str]) -> Start:
        """What to continue with after a stage has failed. Raises LbdeployError where the run ends there."""

    def end(self, start: Start, done: tuple[str, ...]) -> Survey:
        """The nodes at the end, once they have settled."""


class RunLoop:
    """One run, whatever its purpose."""

    def __init__(self, context: RunContext, purpose: Purpose) -> None:
        self._context = context
        self._purpose = purpose

    def run(self, approve: Callable[[Start], bool] | None = None) -> End:
        """Bring the nodes to the state that the purpose wants.

        `approve` is asked before anything is changed, and may refuse: then InterruptedRunError is raised.
        """
        try:
            return self._run(approve)
        except LbdeployError as error:
            fix = self._purpose.wording.advice(error.fix)
            if fix is error.fix:
                raise
            raise error.but(fix=fix) from None

    def _run(self, approve: Callable[[Start], bool] | None) -> End:
        start = self._start()
        if not start.plan.changes and start.survey.undecided:
            # What there is to see is another run's, which may still undo it: whoever holds the lock knows the outcome.
            with self._context.locked(start.survey):
                start = self._purpose.start()
        looked = time.time()  # which goes on while a laptop sleeps
        if not start.plan.changes:
            return self._end(start, ())
        if approve and not approve(start):
            fix = self._purpose.wording.declined_fix
            raise InterruptedRunError.said_no(fix)
        with self._context.locked(start.survey) as lock, self._context.interrupt:
            if lock.runs != start.survey.runs or abs(time.time() - looked) > FRESH_SECONDS:
                start = self._still(start.plan, approved=approve is not None)
            return self._end(start, self._carry_out(start, lock))

    def _start(self) -> Start:
        """What to begin with. Where VRRP is to elect anew, VIPs that are about to move are waited for."""
        context = self._context
        # It may be refused because another run is in the middle of a change.
        start = waiting(self._purpose.start, context.options.lock_wait, context.emit)
        if not any(stage.way is Strategy.REELECT for stage in start.plan.stages):
            return start
        soon = {name: left for name, left in start.survey.preempting.items() if left <= PREEMPT_SECONDS}
        if not soon:
            return start
        names = " and ".join(soon)
        context.emit(
            Note(None, f"waiting until {names} has the VIPs: it is about to take them, by its higher priority")
        )
        deadline = time.monotonic() + max(soon.values())
        while not soon.keys().isdisjoint(context.observer.look(start.wanted).preempting):
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        return waiting(self._purpose.start, context.options.lock_wait, context.emit)

    def _still(self, plan: Plan, *, approved: bool) -> Start:
        """What to begin with now that the lock is held. Raises RemoteError where a different plan was approved.

        Runs are not all that changes nodes: VIPs may have moved while somebody read the plan, or while a handover or a
        drill was waited for.
        """
        start = self._purpose.start()
        if approved and not _alike(plan, start.plan):
            wording = self._purpose.wording
            raise RemoteError(wording.outdated, state="nothing was changed", fix=wording.outdated_fix)
        return start

    def _carry_out(self, start: Start, lock: Lock, done: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Perform the stages; returns the names of the nodes that were changed, those that were `done` before, too."""
        before = start.survey
        for index, stage in enumerate(start.plan.stages):
            self._safe_point(start.plan.stages[index:], done, lock)
            try:
                self._purpose.perform(start, stage, before)
            except KeyboardInterrupt:
                raise self._interrupted(done) from None
            except LbdeployError as error:
                return self._continue(error, start, done, lock)
            done += tuple(name for name in stage.names if name not in done)
            before = self._purpose.look(start) if stage is not start.plan.stages[-1] else before
        if self._purpose.settles:
            self._safe_point((), done, lock)
        return done

    def _continue(self, error: LbdeployError, start: Start, done: tuple[str, ...], lock: Lock) -> tuple[str, ...]:
        if isinstance(error, RebootedError):
            self._lock_again(error, done, lock)
        return self._carry_out(self._purpose.recover(error, start, done), lock, done)

    def _lock_again(self, error: RebootedError, done: Sequence[str], lock: Lock) -> None:
        """Lock the node that has rebooted, unless another run has done so by now: then this one ends."""
        context = self._context
        node = context.cluster.node(error.node or "")
        try:
            waiting(lambda: lock.take_again(node, context.pool), LOCK_AGAIN_SECONDS, context.emit)
        except LbdeployError as other:
            raise halfway(other.but(state=error.state), self._purpose.wording.done(done), other.fix) from None

    def _safe_point(self, stages: Sequence[Stage], done: Sequence[str], lock: Lock) -> None:
        """Before these stages; a node that is `done` may have another one."""
        left = [name for name in dict.fromkeys(name for each in stages for name in each.names) if name not in done]
        state = [*self._purpose.wording.done(done), *([f"{' and '.join(left)} left as it was"] if left else [])]
        self._context.interrupt.check("; ".join(state), self._purpose.wording.halted_fix)
        if stages:  # otherwise nobody needs the lock any more
            lock.check(self._purpose.wording.halted_fix)

    def _interrupted(self, done: Sequence[str]) -> InterruptedRunError:
        """The error where the operator interrupted the run in the middle of a stage."""
        going = [going_on(work) for work in self._context.tasks.under_way.values()]
        state = "; ".join([*going, *self._purpose.wording.done(done)])
        return InterruptedRunError("interrupted", state=state, fix=self._purpose.wording.interrupted_fix)

    def _end(self, start: Start, done: tuple[str, ...]) -> End:
        return End(start, done, self._purpose.end(start, done))


def _alike(one: Plan, other: Plan) -> bool:
    """Whether both do the same, in the same order, and cost clients the same."""
    return one.to_json() == other.to_json() and [s.to_json() for s in one.stages] == [s.to_json() for s in other.stages]
