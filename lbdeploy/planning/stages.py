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
class Membership:
    """A node in a part of the cluster: its VRRP instance as it is on the node (None: none yet), and as it is to be."""

    part: Cluster
    before: Instance | None
    after: Instance | None
    holds: bool

    def differs(self, aspect: str) -> bool:
        """Whether this aspect of the instance is going to change; False where there is none before or after."""
        if self.before is None or self.after is None:
            return False
        return bool(getattr(self.before, aspect) != getattr(self.after, aspect))


@dataclass(frozen=True, slots=True)
class Member:
    """A node before and after, in each part of the cluster, by group."""

    plan: NodePlan
    parts: Mapping[str, Membership]
    runs: bool

    @property
    def name(self) -> str:
        return self.plan.node.name

    @property
    def holds(self) -> bool:
        return any(each.holds for each in self.parts.values())

    def differs(self, aspect: str) -> bool:
        """Whether this aspect of any of its instances is going to change."""
        return any(each.differs(aspect) for each in self.parts.values())

    @property
    def instances(self) -> list[Instance]:
        """Those that it has."""
        return [each.before for each in self.parts.values() if each.before]


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


def identity_changes(cluster: Cluster, plan: NodePlan) -> bool:
    """Whether this node and peers that are not changed with it would stop hearing each other."""
    pairs = [Membership(part, *instances(part, plan), holds=False) for part in cluster.parts]
    return any(each.differs("identity") or each.differs("agreed") for each in pairs)


def _member(cluster: Cluster, plan: NodePlan, seen: Observation) -> Member:
    runs = all(seen.service(daemon).running for daemon in DAEMONS)
    return Member(plan, {part.group: _membership(part, plan, seen.of(part)) for part in cluster.parts}, runs)


def _membership(part: Cluster, plan: NodePlan, seen: Observation) -> Membership:
    offset = seen.priority_offset + seen.tracked
    return Membership(part, *instances(part, plan, offset), holds=bool(holders(part, [seen])))


def instances(part: Cluster, plan: NodePlan, priority_offset: int = 0) -> tuple[Instance | None, Instance | None]:
    """A node's actual VRRP instance for a part of the cluster, and the desired one."""
    before, after = _files(plan)
    return _instance(part, before, priority_offset), _instance(part, after, priority_offset)


def _instance(part: Cluster, conf: str, priority_offset: int) -> Instance | None:
    """Where hosts.toml has no groups, the first one, whatever it is called."""
    found = keepalived_conf.find(conf, part.vrrp.router_id, part.instance, priority_offset)
    return found or (None if part.group else keepalived_conf.read(conf, priority_offset))


def _files(plan: NodePlan) -> tuple[str, str]:
    """A node's keepalived.conf as it is and as it is to be; "" for none."""
    for part in plan.parts:
        if isinstance(part.resource, File) and part.resource.path == KEEPALIVED_CONF:
            return part.state.content, part.resource.content
    return "", ""


def _begin(changed: Sequence[Member]) -> tuple[Stage, ...]:
    plans = {member.name: member.plan for member in changed}
    return (Stage(Strategy.BEGIN, plans, "there are no clients yet"),) if plans else ()


def _unheard(member: Member, members: Sequence[Member], cluster: Cluster) -> bool:
    """Whether a running node sends it no adverts yet: it would take the VIPs at once. The others are changed first."""
    address = str(member.plan.node.addresses[cluster.vrrp.network])
    others = [before for each in members if each is not member and each.runs for before in each.instances]
    return not member.runs and any(before.peers and address not in before.peers for before in others)


def _simultaneous(changed: Sequence[Member]) -> tuple[list[Member], Strategy]:
    """The nodes that can't be changed one at a time, and how they are changed."""
    moved = [member for member in changed if member.runs and member.differs("identity")]
    if moved:
        return [member for member in changed if _changes(member)], Strategy.REELECT
    return [member for member in changed if member.differs("agreed")], Strategy.TOGETHER


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
    return _all_hand_over(member.instances) and moved and not member.differs("agreed")


def hands_over(plan: NodePlan) -> bool:
    """Whether the keepalived that runs when this plan starts can make another node take its VIPs."""
    changes = any(change.name == KEEPALIVED_CONF for change in plan.changes)
    before, after = _files(plan)
    return _all_hand_over(keepalived_conf.read_all(before if changes else after))


def joins(plan: NodePlan) -> bool:
    """Whether this plan starts a daemon, and keepalived can be told to leave the VIPs to others meanwhile.

    A keepalived that starts as MASTER takes them whatever its priority, and would only have to give them back.
    """
    starts = any(change.name in DAEMONS and change.action == "start" for change in plan.changes)
    then = keepalived_conf.read_all(_files(plan)[1])
    return starts and _all_hand_over(then) and all(each.settings.get("state") != "MASTER" for each in then)


def _all_hand_over(instances: Sequence[Instance]) -> bool:
    return bool(instances) and all(each.hands_over for each in instances)


def winner(instances: Mapping[str, Instance | None]) -> str | None:
    """The node that VRRP prefers among these: the highest priority wins (RFC 5798, 6.4)."""
    able = {name: each.priority for name, each in instances.items() if each}
    return max(able, key=lambda name: able[name]) if able else None


def foreseen(part: Cluster, plan: Plan, stage: Stage, observations: Sequence[Observation]) -> frozenset[str]:
    """The nodes that may hold the VIPs of a part of the cluster after a stage; any other holder is unexpected."""
    seen = {each.node.name: each for each in observations}
    members = {name: _membership(part, plan.nodes[name], each) for name, each in seen.items()}
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


def _simultaneous_cost(cluster: Cluster, way: Strategy, simultaneous: Sequence[Member]) -> str:
    if way is Strategy.REELECT:
        return _reelect_cost(cluster, simultaneous)
    gone = sorted(set().union(*map(_gone, simultaneous)))
    return f"connections to {', '.join(gone)} end; others notice nothing" if gone else NOTHING


def reelected(cluster: Cluster, plans: Mapping[str, NodePlan]) -> tuple[Cluster, ...]:
    """The parts of the cluster for which VRRP elects anew, since peers will not know each other's instance again."""
    return tuple(
        part
        for part in cluster.parts
        if any(Membership(part, *instances(part, plan), holds=False).differs("identity") for plan in plans.values())
    )


def _reelect_cost(cluster: Cluster, simultaneous: Sequence[Member]) -> str:
    parts = reelected(cluster, {each.name: each.plan for each in simultaneous})
    holding = {each.name for each in simultaneous for part in parts if each.parts[part.group].holds}
    if len(holding) == len(simultaneous) and cluster.vrrp.groups:
        return (
            f"VRRP elects anew for {' and '.join(part.group for part in parts)}, which different nodes hold: their "
            "clients get no answer for some seconds; to spare them that, first: lbdeploy handover --to NODE"
        )
    whose = " and ".join(part.its_vips for part in parts)
    delay = max(part.vrrp.preempt_delay for part in parts)
    return (
        f"VRRP elects anew: the standby takes {whose}, both hold them for about a second, and they return after "
        f"preempt_delay ({delay:g} s): open connections are cut, new ones go through"
    )


def _gone(member: Member) -> set[str]:
    """The VIPs that end, or leave their group for another one."""
    before = {(each.part.group, vip) for each in member.parts.values() for vip in _vips(each.before)}
    after = {(each.part.group, vip) for each in member.parts.values() for vip in _vips(each.after)}
    return {vip for _, vip in before - after}


def _vips(instance: Instance | None) -> set[str]:
    return {address.partition("/")[0] for address in instance.vips} if instance else set()


def _away_cost(cluster: Cluster, member: Member, plan: NodePlan) -> str:
    if not member.holds:
        return NOTHING
    if not hands_over(plan):
        return "its keepalived.conf has no track_file for a handover: connections fail for about a second"
    own = [part for part in cluster.parts if member.parts[part.group].holds]
    if not any(part.vrrp.preempt for part in own):
        return "the VIPs move to another node and stay, since preempt is off: connections fail for about a second"
    delay = f"{max(part.vrrp.preempt_delay for part in own):g} s"
    return (
        f"the VIPs move to another node and return, each after preempt_delay ({delay}): open connections are cut, "
        "new ones go through"
    )
