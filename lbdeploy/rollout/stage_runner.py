"""How the nodes of a stage are changed: begin, observe, then confirm or undo."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LastNodeError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.health.finding import Excuses
from lbdeploy.health.fitness import starting
from lbdeploy.health.placement import holders
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Change, Resource
from lbdeploy.node.vrrp_priority import FAULT, YIELD
from lbdeploy.planning.desired import ANNOUNCE, FIREWALL_SERVICE
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.planning.vrrp import shared_vips
from lbdeploy.planning.vrrp.agreement import agreement
from lbdeploy.planning.vrrp.members import hands_over, joins, reelected
from lbdeploy.rollout.gate import excuses, objections, of_servers, refuse_the_last
from lbdeploy.rollout.node_tasks import NodeTasks
from lbdeploy.rollout.observer import Observer, Wanted, settle_seconds
from lbdeploy.rollout.survey import Survey
from lbdeploy.rollout.transaction import Task
from lbdeploy.ssh.config import CONNECT_SECONDS

OBSERVE_SECONDS = 5  # for the last look before a change is confirmed; connecting comes on top


@dataclass(frozen=True, slots=True)
class StageChange:
    """A stage that is to be carried out: the plan that it is of, what was wanted, and the nodes before it.

    `back`: back to an earlier state, which hosts.toml does not describe. It has worked before, so no other healthy node
    is required, and the gate objects to nothing. `tools`: with what nodes come to agree on it, by name.
    """

    plan: Plan
    stage: Stage
    before: Survey
    wanted: Wanted
    back: bool = False
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def excused(self) -> Excuses:
        """The findings that don't stop the run after the stage."""
        return of_servers(self.before) if self.back else excuses(self.plan, self.stage, self.before)

    @property
    def later(self) -> Collection[tuple[str, str, str]]:
        """The changes (node, name, action) of the stages that are still to come."""
        stages = self.plan.stages[self.plan.stages.index(self.stage) + 1 :]
        return {(name, each.name, each.action) for one in stages for name, p in one.plans.items() for each in p.changes}


class StageRunner:
    """Carries out the stages of plans. `ignore`: checks to skip."""

    def __init__(
        self, cluster: Cluster, tasks: NodeTasks, observer: Observer, emit: Emit, ignore: Collection[str] = ()
    ) -> None:
        self._cluster = cluster
        self._tasks = tasks
        self._observer = observer
        self._emit = emit
        self._ignore = ignore
        self._linger = int(4 * cluster.vrrp.advert_interval) + 6  # until a peer, its change undone, has the VIPs again

    def perform(self, change: StageChange, *, force_last: bool = False) -> None:
        """Change the nodes of a stage, check that they are healthy, and confirm; otherwise undo it, and raise.

        `force_last`: also where no other node could take over meanwhile.
        """
        stage = change.stage
        change = replace(change, tools=agreement(self._cluster, stage))
        if not change.back:
            change = self._once_another_is_able(change, force=force_last)
        _require_answers(stage, change.before)
        ways = {
            Strategy.BEGIN: self._begin,
            Strategy.RELOAD: self._change,
            Strategy.AWAY: self._change,
            Strategy.TOGETHER: self._change_all,
            Strategy.REELECT: self._reelect,
        }
        with self._tasks.confirmed(apart=stage.way is Strategy.REELECT):
            ways[stage.way](change)

    def _once_another_is_able(self, change: StageChange, *, force: bool) -> StageChange:
        """The stage, with a node that could take over meanwhile. Raises LastNodeError.

        A node that has just started, as after its boot, gets the time that it needs.
        """
        try:
            refuse_the_last(change.stage, change.before, force=force)
        except LastNodeError:
            soon = [name for name, each in change.before.seen.items() if starting(each, settle_seconds(self._cluster))]
            if not soon:
                raise
            self._emit(Note(None, f"waiting until {' or '.join(soon)}, which has just started, could take over"))
            change = replace(change, before=self._observer.until_able(change.wanted, soon))
            refuse_the_last(change.stage, change.before, force=force)
        return change

    def _begin(self, change: StageChange) -> None:
        """Set up a new cluster: all nodes in parallel, except for the start of keepalived.

        The preferred node starts keepalived first, and so becomes the holder: a node that finds another one holding
        the VIPs waits for preempt_delay, even when it has only just started (keepalived.conf(5)).
        """
        plans = change.stage.plans
        first, *rest = [node.name for node in self._cluster.nodes if node.name in plans]
        tasks = {name: Task(plans[name].only(_starts_first)) for name in rest}
        # A node that can't be reached may be running: then this is not a new cluster.
        joins = bool(change.before.unseen) and self._joins(change, first)
        first_task = replace(self._task(change, first), free_vrid=self._free_vrid(first), joins=joins)
        if rest:  # it also waits while these start
            first_task = replace(first_task, confirm=2 * first_task.confirm)
        self._tasks.begin({first: first_task, **tasks})
        starts = {name: plans[name].only(_starts_last) for name in rest}
        self._tasks.begin({name: confirmed_task(self._cluster, each) for name, each in starts.items()})

    def _free_vrid(self, name: str) -> tuple[str, ...]:
        """The virtual router IDs that must be free, the node's interface, and the addresses that may use it anyway."""
        interface = self._cluster.node(name).interfaces[self._cluster.vrrp.network]
        addresses = (str(node.addresses[self._cluster.vrrp.network]) for node in self._cluster.nodes)
        routers = ",".join(str(part.vrrp.router_id) for part in self._cluster.parts)
        return () if "vrid-in-use" in self._ignore else (routers, interface, *addresses)

    def _change(self, change: StageChange) -> None:
        self._tasks.begin({name: self._task(change, name) for name in change.stage.names})
        self._gate(change)

    def _change_all(self, change: StageChange) -> None:
        """Change all nodes or none: if one node would refuse the change, none gets it.

        The step on which they must agree is taken by all at once, when all are ready for it.
        """
        self._rehearse(change.stage)
        together = len(change.stage.names) > 1
        self._tasks.begin({name: replace(self._task(change, name), together=together) for name in change.stage.names})
        self._tasks.go_on()
        self._gate(change)

    def _reelect(self, change: StageChange) -> None:
        """Change the standby nodes, which then no longer hear the holder and take the VIPs; right after, the holder."""
        self._rehearse(change.stage)
        # Who holds the VIPs may have changed by now, as where VRRP moves them back to the preferred node.
        change = replace(change, before=self._observer.look(change.wanted))
        _require_answers(change.stage, change.before)
        parts, seen = reelected(self._cluster, change.stage.plans), list(change.before.seen.values())
        holding = [name for name in change.stage.names if any(name in holders(part, seen) for part in parts)]
        standby = [name for name in change.stage.names if name not in holding]
        # Should everything be undone, a standby keeps the VIPs until the former holder has them again.
        longer = 2 * confirm_seconds(self._cluster)
        elsewhere = tuple(str(vip.ip) for part in parts for vip in part.vips) if holding else ()
        of_standby = partial(replace, confirm=longer, linger=self._linger, without=elsewhere)
        tasks = {name: of_standby(self._task(change, name)) for name in standby}
        if standby:
            self._tasks.watch({name: self._watch(name, parts, seen, longer) for name in holding})
        self._tasks.begin(tasks)
        if standby and holding:
            self._emit(Note(None, f"waiting until {' or '.join(standby)} also holds the VIPs"))
            if not self._observer.until_holding(change.wanted, standby, parts):
                what, state = "the VIPs were not taken in time", "they stay where they were"
                raise RemoteError(what, node=standby[0], state=state, fix=typed("verify"))
            self._tasks.linger(standby)
        self._tasks.begin({name: self._task(change, name) for name in holding})
        self._gate(change)

    def _watch(self, name: str, parts: Iterable[Cluster], seen: Sequence[Observation], seconds: int) -> str:
        """What has a holder announce its VIPs, should a standby die that has just taken them, too."""
        vips = [vip for part in parts if name in holders(part, seen) for vip in part.vips]
        return shared_vips.watch(self._cluster.node(name), vips, ANNOUNCE, seconds)

    def _rehearse(self, stage: Stage) -> None:
        self._tasks.begin({name: Task(plan, rehearsal=True) for name, plan in stage.plans.items()})

    def _joins(self, change: StageChange, name: str) -> bool:
        """Whether a node whose daemons are started leaves the VIPs to others first. A holder keeps them."""
        seen = change.before.seen[name]
        holds = seen.holds_any(self._cluster) and seen.service("keepalived").running
        preempts = any(part.vrrp.preempt for part in self._cluster.parts)
        return preempts and joins(change.stage.plans[name]) and not holds

    def _task(self, change: StageChange, name: str) -> Task:
        """A node's share of a stage."""
        plan, way = change.stage.plans[name], change.stage.way
        joins = way is Strategy.RELOAD and self._joins(change, name)
        away = way is Strategy.AWAY and hands_over(plan)
        tools = change.tools.get(name, ())
        return replace(confirmed_task(self._cluster, plan, away=away), joins=joins, tools=tools)

    def _gate(self, change: StageChange) -> None:
        """Continue only once the changed nodes are as desired, and the VIPs are where the plan expects them."""
        stage, before, excused = change.stage, change.before, change.excused
        self._emit(Note(None, f"{' and '.join(stage.names)} changed: it stays only if all is well"))
        survey = self._observer.until_settled(change.wanted, stage.names, before.errors, excused)
        lost = [name for name in survey.unanswered if name not in before.unanswered]
        if lost and self._joined_alone(stage, survey):
            who, kept = " and ".join(lost), " and ".join(stage.names)
            self._emit(Note(None, f"{who} no longer answers: {kept} stays as it is now, since it alone holds the VIPs"))
            return
        for name in survey.errors:
            if name in lost:
                raise survey.errors[name]
        bad = objections(change.plan, stage, before, survey.without(change.later), excused)
        if bad and not change.back:
            what = "; ".join(dict.fromkeys(each.detail for each in bad))
            state = "the change is not confirmed, and the node undoes it"
            raise RemoteError(what, node=bad[0].node, state=state, fix=bad[0].fix or typed("verify"))

    def _joined_alone(self, stage: Stage, survey: Survey) -> bool:
        """Whether only nodes whose daemons this stage has started hold VIPs: undone, nobody would serve."""
        holding = {name for part in self._cluster.parts for name in holders(part, list(survey.seen.values()))}
        return bool(holding) and all(name in stage.names and joins(stage.plans[name]) for name in holding)


def _require_answers(stage: Stage, survey: Survey) -> None:
    """Raise the error of a node that answered at the beginning, but not since."""
    for name in stage.names:
        if name not in survey.seen:
            raise survey.unanswered[name]


def confirmed_task(cluster: Cluster, plan: NodePlan, *, away: bool = False) -> Task:
    """A task that the node undoes unless it is confirmed in time. `away`: only once another node has taken the VIPs."""
    every = [part.vrrp for part in cluster.parts]
    return Task(
        plan,
        confirm=confirm_seconds(cluster),
        away=tuple(str(vip.ip) for vip in cluster.vips) if away else (),
        away_seconds=int(max(vrrp.preempt_delay for vrrp in every) + settle_seconds(cluster)),
        priority_offset=YIELD if all(vrrp.preempt for vrrp in every) else FAULT,
    )


def confirm_seconds(cluster: Cluster) -> int:
    """How long a node waits for a confirmation: until the cluster has settled, was looked at, and connected to anew."""
    connect = max(cluster.ssh.connect_timeout or 0, CONNECT_SECONDS)
    return int(settle_seconds(cluster) + connect) + OBSERVE_SECONDS


def _starts_last(resource: Resource[Any], _: Change) -> bool:
    """The changes that have to be confirmed: VRRP, and the firewall."""
    return resource.id in ("service keepalived", f"service {FIREWALL_SERVICE}")


def _starts_first(resource: Resource[Any], change: Change) -> bool:
    return not _starts_last(resource, change)
