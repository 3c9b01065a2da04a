"""The order in which nodes are changed, and what it costs clients. Pure.

Where no cluster runs yet, all nodes at once. On a live cluster one at a time: those that hold no VIP first, and the
holder last, so that every stage leaves a tested node to fall back on. Some changes need another way: see Strategy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lbdeploy.common.debian import DAEMONS
from lbdeploy.config.model import Cluster
from lbdeploy.health.placement import holders, is_live
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.keepalived_conf import Instance
from lbdeploy.node.observation import Observation
from lbdeploy.planning.endings import with_endings
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.planning.vrrp.members import (
    Member,
    Membership,
    all_hand_over,
    hands_over,
    member_of,
    membership,
    reelected,
    regrouped,
    strangers,
    winner,
)

NOTHING = "clients notice nothing"


def staged(cluster: Cluster, plans: Mapping[str, NodePlan], observations: Sequence[Observation]) -> Plan:
    """The plan of a run: the changes of each node, in stages, each with what it costs."""
    stages = _stages(cluster, plans, observations)
    return Plan(plans, with_endings(stages, {each.node.name: each for each in observations}))


def _stages(cluster: Cluster, plans: Mapping[str, NodePlan], observations: Sequence[Observation]) -> Sequence[Stage]:
    members = [member_of(cluster, plans[each.node.name], each) for each in observations]
    changed = [member for member in members if member.plan.changes]
    if not is_live(cluster, observations):
        return _begin(changed)
    changed.sort(key=lambda member: (member.holds, member.plan.node.priority))
    simultaneous, way = _simultaneous(changed)
    rest = [member for member in changed if member not in simultaneous]
    # What starts must hear those that run, and they must hear it, or both hold the VIPs: what they have comes first.
    last = [member for member in rest if strangers(cluster, member, members)]
    stages = _one_by_one(cluster, [member for member in rest if member not in last], members, ())
    if simultaneous:
        stages.append(
            Stage(
                way,
                {each.name: each.plan for each in simultaneous},
                _simultaneous_cost(
                    cluster, way, simultaneous, others=[each for each in members if each not in simultaneous]
                ),
            )
        )
    stages += _one_by_one(cluster, last, members, stages)
    disruptive = [(member, _disruptive(member)) for member in rest]
    return stages + [
        Stage(Strategy.AWAY, {each.name: plan}, _away_cost(cluster, each, plan))
        for each, plan in disruptive
        if plan.changes
    ]


def _one_by_one(
    cluster: Cluster, some: Sequence[Member], members: Sequence[Member], earlier: Sequence[Stage]
) -> list[Stage]:
    """Stages for the changes of these that clients don't notice, after the `earlier` stages."""
    done = [member for member in members if any(member.name in stage.names for stage in earlier)]
    stages = []
    for each in some:
        if (plan := _reload_only(each)).changes:
            stages.append(Stage(Strategy.RELOAD, {each.name: plan}, _reload_cost(cluster, each, members, done)))
            done = [*done, each]
    return stages


def _begin(changed: Sequence[Member]) -> tuple[Stage, ...]:
    plans = {member.name: member.plan for member in changed}
    return (Stage(Strategy.BEGIN, plans, "there are no clients yet"),) if plans else ()


def _simultaneous(changed: Sequence[Member]) -> tuple[list[Member], Strategy]:
    """The nodes that can't be changed one at a time, and how they are changed."""
    moved = [member for member in changed if member.runs and member.differs("identity")]
    if moved:
        return [member for member in changed if _changes(member)], Strategy.REELECT
    return [
        member for member in changed if member.differs("agreed") or (member.runs and regrouped(member.plan))
    ], Strategy.TOGETHER


def _changes(member: Member) -> bool:
    """Whether an instance that it has becomes another one."""
    return any(each.before and each.before != each.after for each in member.parts.values())


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
    moved = any(each.holds and each.differs("places") for each in member.parts.values())
    return all_hand_over(member.instances) and moved and not member.differs("agreed")


def foreseen(part: Cluster, plan: Plan, stage: Stage, observations: Sequence[Observation]) -> frozenset[str]:
    """The nodes that may hold the VIPs of a part of the cluster after a stage; any other holder is unexpected."""
    seen = {each.node.name: each for each in observations}
    members = {name: membership(part, plan.nodes[name], each) for name, each in seen.items()}
    if stage.way is Strategy.AWAY:
        return frozenset(name for name in members if name not in stage.names) or frozenset(members)
    if stage.way in (Strategy.REELECT, Strategy.BEGIN):
        return frozenset(members)
    if not any(each.before for each in members.values()):  # a group that is new
        return frozenset(members)
    running = [name for name, each in seen.items() if all(each.service(daemon).running for daemon in DAEMONS)]
    elected = [_elected(members, running, plan.stages[:count]) for count in range(plan.stages.index(stage) + 2)]
    return frozenset(holders(part, observations)) | frozenset(filter(None, elected))


def _elected(members: Mapping[str, Membership], running: Sequence[str], stages: Sequence[Stage]) -> str | None:
    """The node that VRRP prefers once these stages are done; it may not have taken the VIPs yet."""
    done = {name for stage in stages for name in stage.names}
    able = {name: each for name, each in members.items() if name in running or name in done}
    return winner({name: each.after if name in done else each.before for name, each in able.items()})


def _reload_cost(cluster: Cluster, member: Member, members: Sequence[Member], earlier: Sequence[Member]) -> str:
    """What clients notice of a reload. `earlier`: the nodes that are changed before this one."""
    costs = [_taken(part, member, members, earlier) for part in cluster.parts]
    return "; ".join(filter(None, costs)) or NOTHING


def _taken(part: Cluster, member: Member, members: Sequence[Member], earlier: Sequence[Member]) -> str:
    """What clients of a part notice, where another node takes its VIPs after the reload; "" where none does."""
    before, after = _taker(part, members, earlier), _taker(part, members, (*earlier, member))
    if after and after != before and part.vrrp.preempt:
        delay = f"{part.vrrp.preempt_delay:g} s"
        moves = f"{part.its_vips} move to {after} after preempt_delay ({delay})"
        return f"{moves}: open connections are cut, new ones go through"
    return ""


def _taker(part: Cluster, members: Sequence[Member], done: Sequence[Member]) -> str | None:
    """The node that takes the VIPs from the holder once those in `done` are changed: only with a higher priority."""
    own = {m.name: m.parts[part.group] for m in members}
    changed = {m.name for m in done}
    able = [m.name for m in members if m.runs or m in done]
    instances = {name: own[name].after if name in changed else own[name].before for name in able}
    best = winner(instances)
    held = [each.priority for name in own if own[name].holds and (each := instances.get(name))]
    winning = instances[best] if best else None
    return best if winning and held and winning.priority > max(held) else None


def _simultaneous_cost(
    cluster: Cluster, way: Strategy, simultaneous: Sequence[Member], others: Sequence[Member]
) -> str:
    """What clients notice where nodes are changed at once. `others`: those that are not."""
    if way is Strategy.REELECT:
        return _reelect_cost(cluster, simultaneous, alone=not any(each.runs for each in others))
    gone = sorted(set().union(*map(_gone, simultaneous)))
    return f"connections to {', '.join(gone)} end; others notice nothing" if gone else NOTHING


def _reelect_cost(cluster: Cluster, simultaneous: Sequence[Member], *, alone: bool) -> str:
    parts = reelected(cluster, {each.name: each.plan for each in simultaneous})
    holding = {each.name for each in simultaneous for part in parts if each.parts[part.group].holds}
    if len(holding) == len(simultaneous) and cluster.vrrp.groups:
        return (
            f"VRRP elects anew for {' and '.join(part.group for part in parts)}, which different nodes hold: their "
            "clients get no answer for some seconds; to spare them that, first: lbdeploy handover --to NODE"
        )
    whose = " and ".join(part.its_vips for part in parts)
    if len(holding) == len(simultaneous) and alone:
        return f"VRRP elects anew, and no other node takes {whose} meanwhile: clients get no answer for some seconds"
    delay = max(part.vrrp.preempt_delay for part in parts)
    return (
        f"VRRP elects anew: the standby takes {whose}, both hold them for about a second, and they return after "
        f"preempt_delay ({delay:g} s): open connections are cut, new ones go through"
    )


def _away_cost(cluster: Cluster, member: Member, plan: NodePlan) -> str:
    """What clients notice where a node gives its VIPs away first."""
    if not member.holds:
        return NOTHING
    if not hands_over(plan):
        return "its keepalived.conf has no track_file for a handover: connections fail for about a second"
    own = [part for part in cluster.parts if member.parts[part.group].holds]
    if not any(part.vrrp.preempt for part in own):
        return "the VIPs move to another node and stay, since preempt is off: connections fail for about a second"
    if not all(part.vrrp.preempt for part in cluster.parts):  # one that stays away makes all go at once: AWAY's offset
        return "the VIPs move to another node, those of groups with preempt return: connections fail for about a second"
    delay = f"{max(part.vrrp.preempt_delay for part in own):g} s"
    return (
        f"the VIPs move to another node and return, each after preempt_delay ({delay}): open connections are cut, "
        "new ones go through"
    )


def _gone(member: Member) -> set[str]:
    """The VIPs that end, or leave their group for another one."""
    before = {(each.part.group, vip) for each in member.parts.values() for vip in _vips(each.before)}
    after = {(each.part.group, vip) for each in member.parts.values() for vip in _vips(each.after)}
    return {vip for _, vip in before - after} | regrouped(member.plan)


def _vips(instance: Instance | None) -> set[str]:
    return {address.partition("/")[0] for address in instance.vips} if instance else set()
