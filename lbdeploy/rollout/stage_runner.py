"""How the nodes of a stage are changed: begin, observe, then confirm or undo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.health.finding import Excuses
from lbdeploy.health.placement import DAEMONS, holders
from lbdeploy.node.keepalived_conf import FAULT, YIELD
from lbdeploy.node.resources.base import Change, Resource
from lbdeploy.planning.desired import FIREWALL_SERVICE
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.planning.stages import hands_over, joins
from lbdeploy.rollout.agreement import agreement
from lbdeploy.rollout.gate import excuses, objections, of_servers, refuse_the_last
from lbdeploy.rollout.node_tasks import NodeTasks
from lbdeploy.rollout.observer import Observer, settle_seconds
from lbdeploy.rollout.survey import Survey
from lbdeploy.rollout.transaction import Task

SERVICES = (*DAEMONS, FIREWALL_SERVICE)
CONFIRM_MARGIN = 15  # seconds for observing and connecting, on top, before a node stops waiting for a confirmation


class StageRunner:
    """Performs stages. `force_last`: also where no other node could take over meanwhile. `ignore`: checks to skip."""

    def __init__(
        self,
        cluster: Cluster,
        tasks: NodeTasks,
        observer: Observer,
        emit: Emit,
        *,
        force_last: bool,
        ignore: Collection[str] = (),
    ) -> None:
        self._cluster = cluster
        self._tasks = tasks
        self._observer = observer
        self._emit = emit
        self._force_last = force_last
        self._ignore = ignore
        self._excused: Excuses = frozenset()
        self._back = False
        self._agreement: Mapping[str, tuple[str, ...]] = {}
        # How long a node waits for a confirmation: as long as the cluster may take to settle, plus a margin.
        self._patience = int(settle_seconds(cluster)) + CONFIRM_MARGIN
        self._linger = int(4 * cluster.vrrp.advert_interval) + 6  # until a peer, its change undone, has the VIPs again

    def perform(self, plan: Plan, stage: Stage, before: Survey, *, back: bool = False) -> None:
        """Change the nodes of a stage, check that they are healthy, and confirm; otherwise undo it, and raise.

        `back`: back to an earlier state, which hosts.toml does not describe. It has worked before, so the gate objects
        to nothing.
        """
        self._back = back
        self._agreement = agreement(stage, self._cluster.vrrp.network)
        self._excused = of_servers(before) if back else excuses(plan, stage, before)
        if not back:
            refuse_the_last(stage, before, force=self._force_last)
        ways = {
            Strategy.BEGIN: self._begin,
            Strategy.RELOAD: self._change,
            Strategy.AWAY: self._change,
            Strategy.TOGETHER: self._change_all,
            Strategy.REELECT: self._reelect,
        }
        try:
            ways[stage.way](plan, stage, before)
            self._tasks.confirm()
        except LbdeployError as error:
            # Peers that hear each other are undone in parallel; others in an order such that one always holds the VIPs.
            order = list(reversed(stage.names)) if stage.way is Strategy.REELECT else []
            raise self._tasks.abandon(error, order) from None

    def _begin(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """Set up a new cluster: all nodes in parallel, except for the start of keepalived.

        The preferred node starts keepalived first, and so becomes the holder: a node that finds another one holding
        the VIPs waits for preempt_delay, even when it has only just started (keepalived.conf(5)).
        """
        first, *rest = [node.name for node in self._cluster.nodes if node.name in stage.names]
        tasks = {name: Task(stage.plans[name], ("haproxy",)) for name in rest}
        # A node that can't be reached may be running: then this is not a new cluster.
        joins = bool(before.unseen) and self._joins(stage, first, before)
        first_task = replace(self._task(stage, first, before), free_vrid=self._free_vrid(first), joins=joins)
        self._tasks.begin({first: first_task, **tasks})
        starts = {name: stage.plans[name].only(_starts_last) for name in rest}
        self._tasks.begin({name: Task(each, SERVICES, self._patience) for name, each in starts.items()})

    def _free_vrid(self, name: str) -> tuple[str, ...]:
        """The virtual router ID that must be free, the node's interface, and the addresses that may use it anyway."""
        interface = self._cluster.node(name).interfaces[self._cluster.vrrp.network]
        addresses = (str(node.addresses[self._cluster.vrrp.network]) for node in self._cluster.nodes)
        return () if "vrid-in-use" in self._ignore else (str(self._cluster.vrrp.router_id), interface, *addresses)

    def _change(self, plan: Plan, stage: Stage, before: Survey) -> None:
        self._tasks.begin({name: self._task(stage, name, before) for name in stage.names})
        self._gate(plan, stage, before)

    def _change_all(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """All or none: if one node would refuse the change, none gets it."""
        self._rehearse(stage)
        self._change(plan, stage, before)

    def _reelect(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """Change the standby nodes, which then no longer hear the holder and take the VIPs; right after, the holder."""
        self._rehearse(stage)
        holding = [name for name in stage.names if name in holders(self._cluster, list(before.seen.values()))]
        standby = [name for name in stage.names if name not in holding]
        # Should everything be undone, a standby keeps the VIPs until the former holder has them again.
        last = {"longer": self._patience, "linger": self._linger}
        self._tasks.begin({name: self._task(stage, name, before, **last) for name in standby})
        if standby and holding:
            self._emit(Note(None, f"waiting until {' or '.join(standby)} also holds the VIPs"))
            if not self._observer.until_holding(standby):
                what, state = "the VIPs were not taken in time", "they stay where they were"
                raise RemoteError(what, node=standby[0], state=state, fix="lbdeploy verify")
            self._tasks.linger(standby)
        self._tasks.begin({name: self._task(stage, name, before) for name in holding})
        self._gate(plan, stage, before)

    def _rehearse(self, stage: Stage) -> None:
        self._tasks.begin({name: Task(plan, SERVICES, rehearsal=True) for name, plan in stage.plans.items()})

    def _joins(self, stage: Stage, name: str, before: Survey) -> bool:
        """Whether a node whose daemons are started leaves the VIPs to others first. A holder keeps them."""
        seen = before.seen[name]
        holds = seen.holds_any(self._cluster) and seen.service("keepalived").running
        return self._cluster.vrrp.preempt and joins(stage.plans[name]) and not holds

    def _task(self, stage: Stage, name: str, before: Survey, longer: int = 0, linger: int = 0) -> Task:
        """A node's share of a stage, which the node undoes unless confirmed in time (`longer`: s, on top)."""
        plan = stage.plans[name]
        away = stage.way is Strategy.AWAY and hands_over(plan)
        return Task(
            plan,
            SERVICES,
            confirm=self._patience + longer,
            linger=linger,
            away=tuple(str(vip.ip) for vip in self._cluster.vips) if away else (),
            away_seconds=int(self._cluster.vrrp.preempt_delay + settle_seconds(self._cluster)),
            priority_offset=YIELD if self._cluster.vrrp.preempt else FAULT,
            tools=self._agreement.get(name, ()),
            joins=stage.way is Strategy.RELOAD and self._joins(stage, name, before),
        )

    def _gate(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """Continue only once the changed nodes are as desired, and the VIPs are where the plan expects them."""
        self._emit(Note(None, f"{' and '.join(stage.names)} changed: it stays only if all is well"))
        survey = self._observer.until_settled(stage.names, before.errors, self._excused)
        errors = [error for name, error in survey.errors.items() if name not in before.errors]
        if errors:
            raise errors[0]
        bad = objections(plan, stage, before, survey.without(_later(plan, stage)), self._excused)
        if bad and not self._back:
            what = "; ".join(dict.fromkeys(each.detail for each in bad))
            state = "the change is not confirmed, and the node undoes it"
            raise RemoteError(what, node=bad[0].node, state=state, fix=bad[0].fix or "lbdeploy verify")


def _starts_last(resource: Resource[Any], _: Change) -> bool:
    """The changes that have to be confirmed: VRRP, and the firewall."""
    return resource.id in ("service keepalived", f"service {FIREWALL_SERVICE}")


def _later(plan: Plan, stage: Stage) -> Collection[tuple[str, str, str]]:
    """The changes (node, name, action) of the stages that are still to come."""
    stages = plan.stages[plan.stages.index(stage) + 1 :]
    return {(name, each.name, each.action) for one in stages for name, p in one.plans.items() for each in p.changes}
