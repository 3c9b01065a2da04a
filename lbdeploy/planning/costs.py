"""What the stages of a run cost clients, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lbdeploy.config.model import Cluster
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.keepalived_conf import Instance
from lbdeploy.planning.members import Member, hands_over, reelected, winner
from lbdeploy.planning.plan import Strategy

NOTHING = "clients notice nothing"


def reload_cost(cluster: Cluster, member: Member, members: Sequence[Member], earlier: Sequence[Member]) -> str:
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


def simultaneous_cost(cluster: Cluster, way: Strategy, simultaneous: Sequence[Member]) -> str:
    """What clients notice where nodes are changed at once."""
    if way is Strategy.REELECT:
        return _reelect_cost(cluster, simultaneous)
    gone = sorted(set().union(*map(_gone, simultaneous)))
    return f"connections to {', '.join(gone)} end; others notice nothing" if gone else NOTHING


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


def away_cost(cluster: Cluster, member: Member, plan: NodePlan) -> str:
    """What clients notice where a node gives its VIPs away first."""
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


def _gone(member: Member) -> set[str]:
    """The VIPs that end, or leave their group for another one."""
    before = {(each.part.group, vip) for each in member.parts.values() for vip in _vips(each.before)}
    after = {(each.part.group, vip) for each in member.parts.values() for vip in _vips(each.after)}
    return {vip for _, vip in before - after}


def _vips(instance: Instance | None) -> set[str]:
    return {address.partition("/")[0] for address in instance.vips} if instance else set()
