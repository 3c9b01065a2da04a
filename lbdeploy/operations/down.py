"""`lbdeploy down`: the load balancer is removed, and what was there before it is restored.

The nodes that hold no VIP go first, one at a time; the holder last, so that clients notice as late as possible. Where
only some nodes go, one of the others must hold the VIPs before anything is stopped on those that go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.node.drift import NodePlan
from lbdeploy.operations import down_steps
from lbdeploy.operations.down_plan import RemovalPlan, hands_over, plan_removal, purges, rivals, successors, whole
from lbdeploy.planning.ownership import refuse_to_remove
from lbdeploy.planning.plan import Plan, Stage
from lbdeploy.rollout.loop import RunContext, RunLoop, Start, Wording
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.outcome import halfway
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.stage_runner import confirmed_task
from lbdeploy.rollout.survey import REFUSED, Survey
from lbdeploy.rollout.transaction import Task
from lbdeploy.ssh.pool import SessionPool


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

    settles = False

    def __init__(
        self, cluster: Cluster, pool: SessionPool, emit: Emit, origin: Origin, options: Options, *, purge: bool
    ) -> None:
        self.cluster = cluster
        self.wording = wording(purge=purge)
        self._purge = purge
        self._context = RunContext(cluster, pool, emit, origin, options)
        resources = {
            node.name: down_steps.original(cluster, node, purge=purge) for node in self._context.observer.nodes
        }
        self._wanted = Wanted(resources, self._context.scope)

    def down(self, approve: Callable[[RemovalPlan], bool] | None = None) -> Removed:
        """Remove the load balancer. `approve` is shown the plan, where there is anything to do, and may refuse it."""

        def approved(start: Start) -> bool:
            return approve is None or approve(plan_removal(self.cluster, start.survey))

        end = RunLoop(self._context, self).run(approved if approve else None)
        before = end.start.survey
        return Removed(plan_removal(self.cluster, before), end.done, before.errors)

    def start(self) -> Start:
        """Observe the nodes, and plan. Raises where a node refuses the login, none that is to go can be reached, or
        one that is to go is of another cluster.
        """
        survey = self._context.observer.survey(self._wanted)
        for error in survey.errors.values():
            if isinstance(error, REFUSED) or not survey.observations or not whole(self.cluster, survey):
                raise error.but(state=error.state or "nothing was changed")
        for seen in survey.observations.values():
            refuse_to_remove(self.cluster, seen)
        wanted, survey = self._without_rivals(survey)
        return Start(survey, wanted, plan_removal(self.cluster, survey).plan)

    def _without_rivals(self, survey: Survey) -> tuple[Wanted, Survey]:
        """What nodes should have, where an old keepalived must not run again, too; and the survey with it."""
        rests = {name: down_steps.resting(self._wanted.resources[name]) for name in rivals(self.cluster, survey)}
        wanted = replace(self._wanted, resources={**self._wanted.resources, **rests})
        return wanted, replace(survey, plans={name: wanted.plan(each) for name, each in survey.seen.items()})

    def perform(self, start: Start, stage: Stage, before: Survey) -> None:
        """Take one node out, and confirm if all is well; or, in the last stage, purge all: this can't be undone."""
        with self._context.tasks.confirmed():
            if purges(stage):
                self._context.tasks.begin({name: down_steps.purge(plan) for name, plan in stage.plans.items()})
            else:
                self._context.tasks.begin({name: self._task(before, name, plan) for name, plan in stage.plans.items()})
                self._gate(start, stage)

    def look(self, start: Start) -> Survey:
        """The nodes as they were before the first stage: who had the VIPs then decides who must have them later."""
        return start.survey

    def recover(self, error: LbdeployError, start: Start, done: Sequence[str]) -> Start:
        """Nothing is put back on nodes that are done: raises the error of the node, with what is done already."""
        again = self.wording.again.words[1:]
        raise halfway(error, self.wording.done(done), typed(*again, before="fix the cause, then again: "))

    def end(self, start: Start, done: tuple[str, ...]) -> Survey:
        """The nodes at the end. Raises where anything is left to do."""
        if not done:
            return start.survey
        survey = self._context.observer.look(start.wanted)
        left = plan_removal(self.cluster, survey).plan.changes
        if left:
            what = ", ".join(f"{change.action} {change.name} on {name}" for name, change in left)
            state = "the rest is as it was before lbdeploy"
            what, again = f"not everything is as before: {what}", self.wording.again
            raise RemoteError(what, node=left[0][0], state=state, fix=again)
        return survey

    def _task(self, before: Survey, name: str, plan: NodePlan) -> Task:
        stays = not whole(self.cluster, before)
        away = stays and before.seen[name].holds_any(self.cluster) and hands_over(plan)
        vips = [str(vip.ip) for vip in self.cluster.vips]
        return down_steps.leave(confirmed_task(self.cluster, plan, away=away), vips, purge=self._purge)

    def _gate(self, start: Start, stage: Stage) -> None:
        """Where a node held all VIPs and others stay, raise unless one of these takes them all."""
        stages = start.plan.stages
        gone = {name for each in stages[: stages.index(stage) + 1] for name in each.names}
        staying = successors(self.cluster, start.survey, gone)
        if staying:
            who = " or ".join(staying)
            self._context.emit(Note(None, f"checking whether {who} has the VIPs"))
            if not self._context.observer.until_holding(start.wanted, staying):
                state = "the VIPs stay where they were"
                raise RemoteError(f"{who} did not take the VIPs", node=staying[0], state=state, fix=typed("verify"))


def wording(*, purge: bool) -> Wording:
    """What a removal says when it does not come to its end."""
    again = ("down", *(["--purge"] if purge else []))
    return Wording(
        changed="lbdeploy is gone from {}",
        declined_fix=typed(*again, after=", once it is"),
        halted_fix=typed(*again, after=" continues; lbdeploy up goes back"),
        interrupted_fix=typed(*again, after=" continues"),
        outdated="the nodes have changed since it was shown what goes, and so has that",
        outdated_fix=typed(*again),
        again=typed(*again),
        look=typed(*again),  # which shows what goes, and asks
    )
