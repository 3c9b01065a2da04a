"""How the nodes of a stage are changed: begun, looked at, and confirmed or undone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from lbdeploy.desired import FIREWALL_SERVICE
from lbdeploy.errors import LbdeployError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.gate import Excuses, excuses, objections, of_servers, refuse_the_last
from lbdeploy.model import Cluster
from lbdeploy.nodework import Workers
from lbdeploy.observer import Observer, settle_seconds
from lbdeploy.placement import DAEMONS, holders
from lbdeploy.plan import Plan, Stage, Way
from lbdeploy.resource import Change, Resource
from lbdeploy.stages import hands_over, joins
from lbdeploy.survey import Survey
from lbdeploy.transaction import Task
from lbdeploy.vrrp import FAULT, GIVE_UP

SERVICES = (*DAEMONS, FIREWALL_SERVICE)
CONFIRM_MARGIN = 15  # seconds that looking and connecting may take besides, before a node gives up waiting for it


class Conductor:
    """Performs stages. `force_last`: also where no other node could take over meanwhile. `ignore`: checks left out."""

    def __init__(
        self,
        cluster: Cluster,
        workers: Workers,
        observer: Observer,
        emit: Emit,
        *,
        force_last: bool,
        ignore: Collection[str] = (),
    ) -> None:
        self._cluster = cluster
        self._workers = workers
        self._observer = observer
        self._emit = emit
        self._force_last = force_last
        self._ignore = ignore
        self._excused: Excuses = frozenset()
        self._back = False
        # A node waits as long as looking may take, and then some.
        self._patience = int(settle_seconds(cluster)) + CONFIRM_MARGIN
        self._linger = int(4 * cluster.vrrp.advert_interval) + 6  # until a peer that was undone has the VIPs again

    def perform(self, plan: Plan, stage: Stage, before: Survey, *, back: bool = False) -> None:
        """Change the nodes of a stage, look whether all is well, and confirm; or have it undone, and raise.

        `back`: to what they had, which hosts.toml does not describe. It has been tried, so nothing is objected to.
        """
        self._back = back
        self._excused = of_servers(before) if back else excuses(plan, stage, before)
        if not back:
            refuse_the_last(stage, before, force=self._force_last)
        ways = {
            Way.BEGIN: self._begin,
            Way.RELOAD: self._change,
            Way.AWAY: self._change,
            Way.TOGETHER: self._change_all,
            Way.REELECT: self._reelect,
        }
        try:
            ways[stage.way](plan, stage, before)
            self._workers.confirm()
        except LbdeployError as error:
            # Peers that hear each other are undone side by side; others so that one always has the VIPs.
            order = list(reversed(stage.names)) if stage.way is Way.REELECT else []
            raise self._workers.abandon(error, order) from None

    def _begin(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """Make a cluster where there was none: all nodes side by side, but for the start of keepalived.

        The preferred node starts it first, and so becomes the holder: one that finds another holding the VIPs waits
        for preempt_delay, also when it has only just started (keepalived.conf(5)).
        """
        first, *rest = [node.name for node in self._cluster.nodes if node.name in stage.names]
        tasks = {name: Task(stage.plans[name], ("haproxy",)) for name in rest}
        # One that can't be reached may live: then this is no new cluster.
        joins = bool(before.unseen) and self._joins(stage, first, before)
        foremost = replace(self._task(stage, first, before), free_vrid=self._free_vrid(first), joins=joins)
        self._workers.begin({first: foremost, **tasks})
        starts = {name: stage.plans[name].only(_starts_last) for name in rest}
        self._workers.begin({name: Task(each, SERVICES, self._patience) for name, each in starts.items()})

    def _free_vrid(self, name: str) -> tuple[str, ...]:
        """The virtual router ID that must be free, on which interface of the node, and who may use it all the same."""
        interface = self._cluster.node(name).interfaces[self._cluster.vrrp.network]
        addresses = (str(node.addresses[self._cluster.vrrp.network]) for node in self._cluster.nodes)
        return () if "vrid-in-use" in self._ignore else (str(self._cluster.vrrp.router_id), interface, *addresses)

    def _change(self, plan: Plan, stage: Stage, before: Survey) -> None:
        self._workers.begin({name: self._task(stage, name, before) for name in stage.names})
        self._gate(plan, stage, before)

    def _change_all(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """All or none: what one would refuse, none gets."""
        self._rehearse(stage)
        self._change(plan, stage, before)

    def _reelect(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """The standby nodes, which then don't hear the holder any more and take the VIPs; at once, the holder."""
        self._rehearse(stage)
        holding = [name for name in stage.names if name in holders(self._cluster, list(before.seen.values()))]
        standby = [name for name in stage.names if name not in holding]
        # It holds the VIPs until the other one has them back, should all be undone.
        last = {"longer": self._patience, "linger": self._linger}
        self._workers.begin({name: self._task(stage, name, before, **last) for name in standby})
        if standby and holding:
            self._emit(Note(None, f"waiting until {' or '.join(standby)} also holds the VIPs"))
            if not self._observer.until_holding(standby):
                what, state = "the VIPs were not taken in time", "they stay where they were"
                raise RemoteError(what, node=standby[0], state=state, fix="lbdeploy verify")
            self._workers.linger(standby)
        self._workers.begin({name: self._task(stage, name, before) for name in holding})
        self._gate(plan, stage, before)

    def _rehearse(self, stage: Stage) -> None:
        self._workers.begin({name: Task(plan, SERVICES, rehearsal=True) for name, plan in stage.plans.items()})

    def _joins(self, stage: Stage, name: str, before: Survey) -> bool:
        """Whether a node whose daemons are started leaves the VIPs to others first. One that has them keeps them."""
        seen = before.seen[name]
        holds = seen.holds_any(self._cluster) and seen.service("keepalived").running
        return self._cluster.vrrp.preempt and joins(stage.plans[name]) and not holds

    def _task(self, stage: Stage, name: str, before: Survey, longer: int = 0, linger: int = 0) -> Task:
        """A node's share of a stage, which it undoes when it is not confirmed in time (`longer`: s, besides)."""
        plan = stage.plans[name]
        away = stage.way is Way.AWAY and hands_over(plan)
        return Task(
            plan,
            SERVICES,
            confirm=self._patience + longer,
            linger=linger,
            away=tuple(str(vip.ip) for vip in self._cluster.vips) if away else (),
            away_seconds=int(self._cluster.vrrp.preempt_delay + settle_seconds(self._cluster)),
            priority_offset=GIVE_UP if self._cluster.vrrp.preempt else FAULT,
            joins=stage.way is Way.RELOAD and self._joins(stage, name, before),
        )

    def _gate(self, plan: Plan, stage: Stage, before: Survey) -> None:
        """Go on only once the changed nodes are as they should be, and the VIPs are where the plan foresees them."""
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
    """What has to be confirmed: VRRP, and who is let in."""
    return resource.id in ("service keepalived", f"service {FIREWALL_SERVICE}")


def _later(plan: Plan, stage: Stage) -> Collection[tuple[str, str, str]]:
    """The changes (node, name, action) of the stages that are still to come."""
    stages = plan.stages[plan.stages.index(stage) + 1 :]
    return {(name, each.name, each.action) for one in stages for name, p in one.plans.items() for each in p.changes}
