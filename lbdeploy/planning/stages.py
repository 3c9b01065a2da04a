"""The order in which nodes are changed, and what it costs clients. Pure.

Where no cluster runs yet, all nodes at once. On a live cluster one at a time: those that hold no VIP first, and the
holder last, so that every stage leaves a tested node to fall back on. Some changes need another way: see Strategy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.common.debian import DAEMONS
from lbdeploy.config.model import Cluster
from lbdeploy.health.placement import holders, is_live
from lbdeploy.node import keepalived_conf
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.keepalived_conf import Instance
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import File
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.endings import with_endings
from lbdeploy.planning.plan import Plan, Stage, Strategy

NOTHING = "clients notice nothing"


@dataclass(frozen=True, slots=True)
class Member:
    """A node before and after: its VRRP instance as it is on the node (None: none yet), and as it is to be."""

    plan: NodePlan
    before: Instance | None
    after: Instance | None
    runs: bool
    holds: bool

    @property
    def name(self) -> str:
        return self.plan.node.name

    def differs(self, aspect: str) -> bool:
        """Whether this aspect of its instance is going to change; False where it has no instance before or after."""
        if self.before is None or self.after is None:
            return False
        return bool(getattr(self.before, aspect) != getattr(self.after, aspect))


def staged(cluster: Cluster, plans: Mapping[str, NodePlan], observations: Sequence[Observation]) -> Plan:
    """The plan of a run: the changes of each node, in stages, each with what it costs."""
    stages = _stages(cluster, plans, observations)
    return Plan(plans, with_endings(stages, {each.node.name: each for each in observations}))


def _stages(cluster: Cluster, plans: Mapping[str, NodePlan], observations: Sequence[Observation]) -> Sequence[Stage]:
    members = [_member(cluster, plans[each.node.name], each) for each in observations]
    changed = [member for member in members if member.plan.changes]
    if not is_live(cluster, observations):
        return _begin(changed)
    changed.sort(key=lambda member: (_unheard(member, members, cluster), member.holds, member.plan.node.priority))
    simultaneous, way = _simultaneous(changed)
    reload_only = {member.name: _reload_only(member) for member in changed}
    single = [member for member in changed if member not in simultaneous and reload_only[member.name].changes]
    disruptive = [(member, _disruptive(member)) for member in changed if member not in simultaneous]
    stages = [
        Stage(
            Strategy.RELOAD, {each.name: reload_only[each.name]}, _reload_cost(cluster, each, members, single[:index])
        )
        for index, each in enumerate(single)
    ]
    if simultaneous:
        stages.append(
            Stage(way, {each.name: each.plan for each in simultaneous}, _simultaneous_cost(cluster, way, simultaneous))
        )
    return stages + [
        Stage(Strategy.AWAY, {each.name: plan}, _away_cost(cluster, each, plan))
        for each, plan in disruptive
        if plan.changes
    ]


def identity_changes(plan: NodePlan) -> bool:
    """Whether this node and peers that are not changed with it would stop hearing each other."""
    before, after = instances(plan)
    if before is None or after is None:
        return False
    return before.identity != after.identity or before.agreed != after.agreed


def _member(cluster: Cluster, plan: NodePlan, seen: Observation) -> Member:
    runs = all(seen.service(daemon).running for daemon in DAEMONS)
    return Member(
        plan, *instances(plan, seen.priority_offset + seen.tracked), runs, seen.node.name in holders(cluster, [seen])
    )


def instances(plan: NodePlan, priority_offset: int = 0) -> tuple[Instance | None, Instance | None]:
    """A node's actual VRRP instance, and the desired one."""
    for part in plan.parts:
        if isinstance(part.resource, File) and part.resource.path == KEEPALIVED_CONF:
            return keepalived_conf.read(part.state.content, priority_offset), keepalived_conf.read(
                part.resource.content, priority_offset
            )
    return None, None


def _begin(changed: Sequence[Member]) -> tuple[Stage, ...]:
    plans = {member.name: member.plan for member in changed}
    return (Stage(Strategy.BEGIN, plans, "there are no clients yet"),) if plans else ()


def _unheard(member: Member, members: Sequence[Member], cluster: Cluster) -> bool:
    """Whether a running node sends it no adverts yet: it would take the VIPs at once. The others are changed first."""
    address = str(member.plan.node.addresses[cluster.vrrp.network])
    others = [each.before for each in members if each is not member and each.runs and each.before]
    return not member.runs and any(before.peers and address not in before.peers for before in others)


def _simultaneous(changed: Sequence[Member]) -> tuple[list[Member], Strategy]:
    """The nodes that can't be changed one at a time, and how they are changed."""
    moved = [member for member in changed if member.runs and member.differs("identity")]
    if moved:
        return [member for member in changed if member.before != member.after and member.before], Strategy.REELECT
    return [member for member in changed if member.differs("agreed")], Strategy.TOGETHER


def _reload_only(member: Member) -> NodePlan:
    """The changes that clients don't notice. On a node that does not work anyway, that is all of them."""
    if not member.runs:
        return member.plan
    whole = _moves(member) or _repairs(member)
    return member.plan.only(lambda resource, change: not whole and not resource.interrupts(change))


def _disruptive(member: Member) -> NodePlan:
    """The changes that stop a daemon for a moment, or take the node's VIPs away."""
    whole = _moves(member) or _repairs(member)
    return member.plan.only(lambda resource, change: member.runs and (whole or resource.interrupts(change)))


def _repairs(member: Member) -> bool:
    """Whether an interrupted dpkg run is to be continued: it may restart anything, and must come before all else."""
    return any((change.kind, change.action) == ("package", "repair") for change in member.plan.changes)


def _moves(member: Member) -> bool:
    """Whether a holder's VIPs, or VRRP itself, move to another interface, and it can hand them over first."""
    can = member.before is not None and member.before.hands_over
    return can and member.holds and member.differs("places") and not member.differs("agreed")


def hands_over(plan: NodePlan) -> bool:
    """Whether the keepalived that runs when this plan starts can make another node take its VIPs."""
    before, after = instances(plan)
    changes = any(change.name == KEEPALIVED_CONF for change in plan.changes)
    now = before if changes else after
    return now is not None and now.hands_over


def joins(plan: NodePlan) -> bool:
    """Whether this plan starts a daemon, and keepalived can be told to leave the VIPs to others meanwhile.

    A keepalived that starts as MASTER takes them whatever its priority, and would only have to give them back.
    """
    starts = any(change.name in DAEMONS and change.action == "start" for change in plan.changes)
    _, after = instances(plan)
    return starts and after is not None and after.hands_over and after.settings.get("state") != "MASTER"


def winner(instances: Mapping[str, Instance | None]) -> str | None:
    """The node that VRRP prefers among these: the highest priority wins (RFC 5798, 6.4)."""
    able = {name: each.priority for name, each in instances.items() if each}
    return max(able, key=lambda name: able[name]) if able else None


def foreseen(cluster: Cluster, plan: Plan, stage: Stage, observations: Sequence[Observation]) -> frozenset[str]:
    """The nodes that may hold the VIPs after a stage; any other holder is unexpected."""
    members = {each.node.name: _member(cluster, plan.nodes[each.node.name], each) for each in observations}
    if stage.way is Strategy.AWAY:
        return frozenset(name for name in members if name not in stage.names) or frozenset(members)
    if stage.way in (Strategy.REELECT, Strategy.BEGIN):
        return frozenset(members)
    elected = [_elected(members, plan.stages[:count]) for count in range(plan.stages.index(stage) + 2)]
    return frozenset(holders(cluster, observations)) | frozenset(filter(None, elected))


def _elected(members: Mapping[str, Member], stages: Sequence[Stage]) -> str | None:
    """The node that VRRP prefers once these stages are done; it may not have taken the VIPs yet."""
    done = {name for stage in stages for name in stage.names}
    able = [each for each in members.values() if each.runs or each.name in done]
    return winner({each.name: each.after if each.name in done else each.before for each in able})


def _reload_cost(cluster: Cluster, member: Member, members: Sequence[Member], earlier: Sequence[Member]) -> str:
    """What clients notice of a reload. `earlier`: the nodes that are changed before this one."""
    before, after = _taker(members, earlier), _taker(members, (*earlier, member))
    if after and after != before and cluster.vrrp.preempt:
        delay = f"{cluster.vrrp.preempt_delay:g} s"
        return f"the VIPs move to {after} after preempt_delay ({delay}): open connections are cut, new ones go through"
    return NOTHING


def _taker(members: Sequence[Member], done: Sequence[Member]) -> str | None:
    """The node that takes the VIPs from the holder once those in `done` are changed: only with a higher priority."""
    instances = {m.name: m.after if m in done else m.before for m in members if m.runs or m in done}
    best = winner(instances)
    held = [each.priority for m in members if m.holds and (each := instances.get(m.name))]
    winning = instances[best] if best else None
    return best if winning and held and winning.priority > max(held) else None


def _simultaneous_cost(cluster: Cluster, way: Strategy, simultaneous: Sequence[Member]) -> str:
    if way is Strategy.REELECT:
        return (
            "VRRP elects anew: the standby takes the VIPs, both hold them for about a second, and they return after "
            f"preempt_delay ({cluster.vrrp.preempt_delay:g} s): open connections are cut, new ones go through"
        )
    gone = sorted({vip for each in simultaneous for vip in _vips(each.before) - _vips(each.after)})
    return f"connections to {', '.join(gone)} end; others notice nothing" if gone else NOTHING


def _vips(instance: Instance | None) -> set[str]:
    return {address.partition("/")[0] for address in instance.vips} if instance else set()


def _away_cost(cluster: Cluster, member: Member, plan: NodePlan) -> str:
    if not member.holds:
        return NOTHING
    if not hands_over(plan):
        return "its keepalived.conf has no track_file for a handover: connections fail for about a second"
    if not cluster.vrrp.preempt:
        return "the VIPs move to another node and stay, since preempt is off: connections fail for about a second"
    delay = f"{cluster.vrrp.preempt_delay:g} s"
    return (
        f"the VIPs move to another node and return, each after preempt_delay ({delay}): open connections are cut, "
        "new ones go through"
    )
