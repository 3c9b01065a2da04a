"""`lbdeploy down`: the load balancer is removed, and what was there before it is restored.

The nodes that hold no VIP go first, one at a time; the holder last, so that clients notice as late as possible. Where
only some nodes go, one of the others must hold the VIPs before anything is stopped on those that go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lbdeploy.config.model import Cluster
from lbdeploy.errors import InterruptedRunError, LbdeployError, RemoteError, RolledBackError
from lbdeploy.events import Emit, Note
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.keepalived_conf import FAULT, YIELD
from lbdeploy.operations import down_steps
from lbdeploy.operations.down_plan import RemovalPlan, hands_over, plan_removal, purges, whole
from lbdeploy.planning.plan import Plan, Stage
from lbdeploy.rollout.interrupt import Interrupt
from lbdeploy.rollout.lock import Lock, locking
from lbdeploy.rollout.node_tasks import NodeTasks
from lbdeploy.rollout.observer import Observer, settle_seconds
from lbdeploy.rollout.options import Options
from lbdeploy.rollout.origin import Origin
from lbdeploy.rollout.outcome import going_on
from lbdeploy.rollout.survey import REFUSED, Survey
from lbdeploy.rollout.transaction import Task
from lbdeploy.ssh.pool import SessionPool

CONFIRM_MARGIN = 15  # seconds for observing and connecting, on top, before a node stops waiting for a confirmation
AGAIN = "fix the cause, then again: lbdeploy down"


@dataclass(frozen=True, slots=True)
class Removed:
    """What was planned, and the nodes on which it was done; `errors` has those that could not be reached."""

    planned: RemovalPlan
    done: tuple[str, ...] = ()
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return self.planned.plan


class Removal:
    """One `down` of the nodes that `options` picks. `purge`: packages and lbdeploy's own folder go, too."""

    def __init__(
        self, cluster: Cluster, pool: SessionPool, emit: Emit, origin: Origin, options: Options, *, purge: bool
    ) -> None:
        self.cluster = cluster
        self.scope = [node.name for node in pool.nodes if not options.limit or node.name in options.limit]
        self._purge = purge
        self._pool = pool
        self._emit = emit
        self._origin = origin
        self._lock_wait = options.lock_wait
        self._interrupt = Interrupt(emit)
        self._tasks = NodeTasks(pool, origin, emit)
        wanted = {node.name: down_steps.original(purge=purge) for node in pool.nodes}
        self._observer = Observer(cluster, pool, wanted, self.scope, emit)
        self._patience = int(settle_seconds(cluster)) + CONFIRM_MARGIN

    def down(self, approve: Callable[[RemovalPlan], bool]) -> Removed:
        """Remove the load balancer. `approve` is shown the plan, where there is anything to do, and may refuse it."""
        before, removal_plan = self._begin()
        if not removal_plan.plan.changes:
            return Removed(removal_plan, errors=before.errors)
        if not approve(removal_plan):
            raise InterruptedRunError("not approved", state="nothing was changed", fix="lbdeploy down, once it is")
        nodes = [node for node in self._pool.nodes if node.name in before.seen]
        locked = locking(self._pool, nodes, self._origin.about, self._lock_wait, self._emit)
        with locked as lock, self._interrupt:
            if lock.runs != before.runs:
                before, now = self._begin()
                removal_plan = _still(removal_plan, now)
            done = self._carry_out(removal_plan.plan, before, lock)
        return Removed(removal_plan, done, before.errors)

    def _begin(self) -> tuple[Survey, RemovalPlan]:
        """A survey and its plan. Raises where a node refuses the login, or none that is to go can be reached."""
        survey = self._observer.survey()
        for error in survey.errors.values():
            if isinstance(error, REFUSED) or not survey.observations or not whole(self.cluster, survey):
                error.state = error.state or "nothing was changed"
                raise error
        return survey, plan_removal(self.cluster, survey)

    def _carry_out(self, plan: Plan, before: Survey, lock: Lock) -> tuple[str, ...]:
        done: tuple[str, ...] = ()
        for stage in plan.stages:
            self._safe_point(plan, done, lock)
            try:
                self._perform(stage, before, done)
            except KeyboardInterrupt:
                going = [going_on(work) for work in self._tasks.under_way.values()]
                state = "; ".join((*going, *_told(done)))
                raise InterruptedRunError("interrupted", state=state, fix="lbdeploy down continues") from None
            except LbdeployError as error:
                raise _halfway(error, done) from None
            done += tuple(name for name in stage.names if name not in done)
        self._look_again()
        return done

    def _safe_point(self, plan: Plan, done: Sequence[str], lock: Lock) -> None:
        if self._interrupt.asked:
            left = [name for name in dict.fromkeys(name for names in plan.order for name in names) if name not in done]
            state = "; ".join((*_told(done), *([f"{' and '.join(left)} left as it was"] if left else [])))
            raise InterruptedRunError("interrupted", state=state, fix="lbdeploy down continues; lbdeploy up goes back")
        lock.check()

    def _perform(self, stage: Stage, before: Survey, done: Sequence[str]) -> None:
        """Take one node out, and confirm if all is well; or, in the last stage, purge all: this can't be undone."""
        try:
            if purges(stage):
                self._tasks.begin({name: down_steps.purge(plan) for name, plan in stage.plans.items()})
            else:
                self._tasks.begin({name: self._task(before, name, plan) for name, plan in stage.plans.items()})
                self._gate(before, (*done, *stage.names))
            self._tasks.confirm()
        except LbdeployError as error:
            raise self._tasks.abandon(error) from None

    def _task(self, before: Survey, name: str, plan: NodePlan) -> Task:
        vips = tuple(str(vip.ip) for vip in self.cluster.vips)
        stays = not whole(self.cluster, before)
        away = stays and before.seen[name].holds_any(self.cluster) and hands_over(plan)
        limit = int(self.cluster.vrrp.preempt_delay + settle_seconds(self.cluster))
        priority_offset = YIELD if self.cluster.vrrp.preempt else FAULT
        task = Task(
            plan, (), self._patience, away=vips if away else (), away_seconds=limit, priority_offset=priority_offset
        )
        return down_steps.leave(task, vips, purge=self._purge)

    def _gate(self, before: Survey, gone: Sequence[str]) -> None:
        """Where a node held all VIPs and others stay, raise unless one of these takes them all."""
        serving = [name for name, each in before.seen.items() if each.service("keepalived").running]
        staying = [name for name in serving if name not in gone]
        had = any(each.holds_all(self.cluster) for each in before.seen.values())
        if had and staying:
            who = " or ".join(staying)
            self._emit(Note(None, f"checking whether {who} has the VIPs"))
            if not self._observer.until_holding(staying):
                state = "the VIPs stay where they were"
                raise RemoteError(f"{who} did not take the VIPs", node=staying[0], state=state, fix="lbdeploy verify")

    def _look_again(self) -> None:
        """Raise where anything is left to do."""
        left = plan_removal(self.cluster, self._observer.look()).plan.changes
        if left:
            what = ", ".join(f"{change.action} {change.name} on {name}" for name, change in left)
            state = "the rest is as it was before lbdeploy"
            raise RemoteError(f"not everything is as before: {what}", node=left[0][0], state=state, fix="lbdeploy down")


def _still(approved: RemovalPlan, now: RemovalPlan) -> RemovalPlan:
    if approved.plan.to_json() != now.plan.to_json():
        state = "nothing was changed"
        raise RemoteError("another run has changed the nodes meanwhile", state=state, fix="lbdeploy down")
    return now


def _told(done: Sequence[str]) -> list[str]:
    return [f"lbdeploy is gone from {' and '.join(done)}"] if done else []


def _halfway(error: LbdeployError, done: Sequence[str]) -> LbdeployError:
    """The error of a node, adding that other nodes are done already, so not everything is as before."""
    state = "; ".join(filter(None, (error.state, *_told(done))))
    kind = RemoteError if isinstance(error, RolledBackError) and done else type(error)
    return kind(error.message, node=error.node, state=state, fix=AGAIN, detail=error.detail)
