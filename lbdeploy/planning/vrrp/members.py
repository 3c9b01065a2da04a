"""A node before and after a change, in each part of the cluster: its VRRP instances. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.common.debian import DAEMONS
from lbdeploy.config.model import Cluster
from lbdeploy.health.placement import holders
from lbdeploy.node import keepalived_conf
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.keepalived_conf import UNKNOWN, Instance
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import File
from lbdeploy.planning.desired import KEEPALIVED_CONF


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
    """A node before and after, in each part of the cluster, by group. `runs`: both daemons do; `speaks`: keepalived."""

    plan: NodePlan
    parts: Mapping[str, Membership]
    runs: bool
    speaks: bool

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


def member_of(cluster: Cluster, plan: NodePlan, seen: Observation) -> Member:
    """The node that was observed, in the whole cluster."""
    runs = all(seen.service(daemon).running for daemon in DAEMONS)
    parts = {part.group: membership(part, plan, seen.of(part)) for part in cluster.parts}
    return Member(plan, parts, runs, seen.service("keepalived").running)


def membership(part: Cluster, plan: NodePlan, seen: Observation) -> Membership:
    """The node that was observed, in a part of the cluster; `seen` is of that part."""
    offset = seen.priority_offset + seen.tracked
    return Membership(part, *instances(part, plan, offset), holds=bool(holders(part, [seen])))


def instances(part: Cluster, plan: NodePlan, priority_offset: int = 0) -> tuple[Instance | None, Instance | None]:
    """A node's actual VRRP instance for a part of the cluster, and the desired one.

    Where the change is in lines that only keepalived on the node can read, nothing is known of the actual one.
    """
    before, after = _files(plan)
    known = _legible(before, after)
    return _instance(part, before, priority_offset) if known else UNKNOWN, _instance(part, after, priority_offset)


def _legible(before: str, after: str) -> bool:
    return not before or keepalived_conf.unread(before) == keepalived_conf.unread(after)


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


def regrouped(plan: NodePlan) -> frozenset[str]:
    """The VIPs that another virtual router is to move: until peers have changed, too, two nodes would hold them."""
    before, after = (keepalived_conf.routers(conf) for conf in _files(plan))
    return frozenset(vip for vip in before.keys() & after.keys() if before[vip] != after[vip])


def added(plan: NodePlan) -> list[str]:
    """The VIPs that its keepalived has surely not had so far: where it is killed, and the change undone, they stay."""
    files = _files(plan)
    before, after = map(keepalived_conf.routers, files)
    return [vip for vip in after if vip not in before] if _legible(*files) else []


def single(plan: NodePlan) -> bool:
    """Whether the node has one VRRP instance at the most, before and after."""
    return all(len(keepalived_conf.names(conf)) < 2 for conf in _files(plan))


def identity_changes(cluster: Cluster, plan: NodePlan) -> bool:
    """Whether this node and peers that are not changed with it would stop hearing each other."""
    pairs = [Membership(part, *instances(part, plan), holds=False) for part in cluster.parts]
    return bool(regrouped(plan)) or any(each.differs("identity") or each.differs("agreed") for each in pairs)


def differing(cluster: Cluster, plan: NodePlan) -> list[str]:
    """What a node has and is to have otherwise, of that which peers must agree on, in the words of keepalived.conf."""
    pairs = (instances(part, plan) for part in cluster.parts)
    moved = [f"{vip} with another virtual_router_id" for vip in sorted(regrouped(plan))]
    return list(dict.fromkeys(word for a, b in pairs if a and b for word in a.apart(b))) or moved


def strangers(cluster: Cluster, member: Member, others: Iterable[Member]) -> list[Member]:
    """The others that run with what this node will not understand when it starts: then both would hold the VIPs."""
    speaking = [each for each in others if each.speaks and each is not member]
    if member.runs:
        return []
    return [each for each in speaking if identity_changes(cluster, each.plan) or unheard(cluster, member, each)]


def unheard(cluster: Cluster, member: Member, other: Member) -> bool:
    """Whether the other node sends this one no adverts yet."""
    address = str(member.plan.node.addresses[cluster.vrrp.network])
    return any(each.peers and address not in each.peers for each in other.instances)


def reelected(cluster: Cluster, plans: Mapping[str, NodePlan]) -> tuple[Cluster, ...]:
    """The parts of the cluster for which VRRP elects anew, since peers will not know each other's instance again."""
    return tuple(
        part
        for part in cluster.parts
        if any(Membership(part, *instances(part, plan), holds=False).differs("identity") for plan in plans.values())
    )


def hands_over(plan: NodePlan) -> bool:
    """Whether the keepalived that runs when this plan starts can make another node take its VIPs."""
    changes = any(change.name == KEEPALIVED_CONF for change in plan.changes)
    before, after = _files(plan)
    return all_hand_over(keepalived_conf.read_all(before if changes else after))


def joins(plan: NodePlan) -> bool:
    """Whether this plan starts a daemon, and keepalived can be told to leave the VIPs to others meanwhile.

    A keepalived that starts as MASTER takes them whatever its priority, and would only have to give them back.
    """
    starts = any(change.name in DAEMONS and change.action == "start" for change in plan.changes)
    then = keepalived_conf.read_all(_files(plan)[1])
    return starts and all_hand_over(then) and all(each.settings.get("state") != "MASTER" for each in then)


def all_hand_over(instances: Sequence[Instance]) -> bool:
    """Whether lbdeploy can have each of them leave its VIPs to another node; False where there is none."""
    return bool(instances) and all(each.hands_over for each in instances)


def winner(instances: Mapping[str, Instance | None]) -> str | None:
    """The node that VRRP prefers among these: the highest priority wins (RFC 5798, 6.4)."""
    able = {name: each.priority for name, each in instances.items() if each}
    return max(able, key=lambda name: able[name]) if able else None
