"""What is right and wrong with a cluster, drawn from one observation of each node. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.backends import answers, backends, servers
from lbdeploy.errors import LbdeployError
from lbdeploy.finding import Finding
from lbdeploy.health import ServerStat
from lbdeploy.model import Cluster
from lbdeploy.placement import Placement, holder, placed, placement_of
from lbdeploy.plan import NodePlan
from lbdeploy.probe import Observation


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that was found: `servers` are (node, server as its haproxy sees it)."""

    findings: tuple[Finding, ...]
    vips: tuple[Placement, ...]
    servers: tuple[tuple[str, ServerStat], ...]

    @property
    def healthy(self) -> bool:
        return not any(finding.failed for finding in self.findings)

    def settled(self, nodes: Collection[str]) -> bool:
        """Whether waiting some seconds would change nothing about these nodes and the cluster as a whole."""
        return not any(each.settling and not each.ok for each in self.findings if each.node in (None, *nodes))

    @property
    def holders(self) -> tuple[str, ...]:
        """The nodes that hold any VIP."""
        return tuple(dict.fromkeys(name for placement in self.vips for name in placement.holders))

    def frontends(self) -> Iterator[tuple[str, int, int]]:
        """Each frontend with how many of its servers are up, and how many there are: as the holder sees them."""
        asked = [node for node, _ in self.servers]
        best = next((node for node in (*self.holders, *asked) if node in asked), None)
        stats = [stat for node, stat in self.servers if node == best]
        for name in dict.fromkeys(stat.frontend for stat in stats):
            mine = [stat for stat in stats if stat.frontend == name]
            yield name, sum(stat.up for stat in mine), len(mine)

    def to_json(self) -> dict[str, object]:
        """`findings`, `vips` and `servers` of the JSON contract."""
        servers = [
            {
                "node": node,
                "frontend": s.frontend,
                "server": s.server,
                "status": s.status,
                "check_status": s.check_status,
            }
            for node, s in self.servers
        ]
        findings = [finding.to_json() for finding in self.findings]
        return {"findings": findings, "vips": [each.to_json() for each in self.vips], "servers": servers}


def judge(
    cluster: Cluster,
    observations: Sequence[Observation],
    plans: Mapping[str, NodePlan],
    errors: Mapping[str, LbdeployError] | None = None,
) -> Verdict:
    """Everything that can be said of the observed nodes (all of the cluster's, or those that a run is limited to).

    `errors` are of the nodes that could not be observed: whether they hold a VIP is not known.
    """
    vips = tuple(placement_of(vip, observations) for vip in cluster.vips) if observations else ()
    all_asked = len(observations) + len(errors or {}) == len(cluster.nodes)
    seen = (" that could be looked at" if errors else "") if all_asked else None
    findings = (
        *(Finding(name, "reach", False, error.message, error.fix) for name, error in (errors or {}).items()),
        *(finding for each in observations for finding in _as_desired(each, plans[each.node.name])),
        *(finding for each in observations for finding in _checked(each)),
        *(finding for placement in vips for finding in placed(placement, observations, seen)),
        *holder(cluster, vips, observations),
        *(finding for each in observations for finding in backends(cluster, each)),
        *servers(cluster, observations),
        *(finding for each in observations for finding in answers(each)),
    )
    seen_servers = tuple((each.node.name, server) for each in observations for server in each.servers)
    return Verdict(findings, vips, seen_servers)


def holders(cluster: Cluster, observations: Sequence[Observation]) -> tuple[str, ...]:
    """The nodes on which `ip a` shows any VIP."""
    return tuple(each.node.name for each in observations if any(each.holds(vip.ip) for vip in cluster.vips))


def living(cluster: Cluster, observations: Sequence[Observation]) -> bool:
    """Whether clients may be using the cluster: a VIP is there, or a keepalived that may be about to place one."""
    return bool(holders(cluster, observations)) or any(each.service("keepalived").running for each in observations)


def preflight(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    """What a node must have before anything is put on it: apt, its interfaces, and its own addresses on them."""
    node = observation.node
    if not observation.apt:
        yield Finding(node.name, "apt", False, "has no apt-get", "lbdeploy works on Debian and Ubuntu")
    links = {link.name: link for link in observation.links}
    for network, interface in node.interfaces.items():
        key = f"nodes.{node.name}.interfaces"
        if interface not in links:
            there = ", ".join(name for name in sorted(links) if name != "lo")
            fix = f'it has: {there}; set {key} = {{ {network} = "NAME" }} in hosts.toml'
            yield Finding(node.name, "interface", False, f"has no interface {interface}, for network {network}", fix)
            continue
        if not links[interface].up:
            yield Finding(
                node.name,
                "interface",
                False,
                f"its interface {interface} is down",
                f"ip link set {interface} up, or see to its cable",
            )
        address = node.addresses[network]
        if interface not in observation.holds(address):
            where = ", ".join(observation.holds(address))
            detail = f"{address} is on {where}, not on {interface}" if where else f"{interface} does not have {address}"
            yield Finding(
                node.name,
                "address",
                False,
                detail,
                f"correct nodes.{node.name}.{network} in hosts.toml, or the node's network",
            )


def foreigners(cluster: Cluster, observations: Sequence[Observation]) -> Iterator[Finding]:
    """VIPs that somebody answers for who is none of the nodes: taking them would put one address on two hosts.

    Where only some of the nodes were observed, it may be one of the others.
    """
    if len(observations) < len(cluster.nodes):
        return
    ours = {link.mac for each in observations for link in each.links}
    held = set(holders(cluster, observations))
    for each in observations if not held else ():
        for neighbour in each.neighbours:
            if neighbour.mac not in ours and any(neighbour.ip == vip.ip for vip in cluster.vips):
                detail = f"{neighbour.ip} is in use: {neighbour.mac} answers for it"
                fix = "find that host, or choose another VIP; to go on all the same: lbdeploy up --ignore vip-in-use"
                yield Finding(each.node.name, "vip-in-use", False, detail, fix)


def _as_desired(observation: Observation, plan: NodePlan) -> Iterator[Finding]:
    """Whether each resource is as hosts.toml wants it: what is not is drift, or was never applied."""
    for part in plan.parts:
        kind, _, name = part.resource.id.partition(" ")
        for change in part.changes:
            fix = f"lbdeploy up; to see why: journalctl -u {change.name}" if kind == "service" else "lbdeploy up"
            yield Finding(plan.node.name, kind, False, f"{change.name} {change.reason}", fix)
        if not part.changes:
            yield Finding(plan.node.name, kind, True, f"{name}: as it should be")


def _checked(observation: Observation) -> Iterator[Finding]:
    name = observation.node.name
    if observation.haproxy_answers:
        yield Finding(name, "check", True, "haproxy answers on its socket")
    elif observation.service("haproxy").running:
        yield Finding(
            name,
            "check",
            False,
            "haproxy runs, but does not answer: it hangs",
            "systemctl restart haproxy there",
            settling=True,
        )
    else:
        yield Finding(name, "check", False, "haproxy does not answer: it does not run", "lbdeploy up", settling=True)
