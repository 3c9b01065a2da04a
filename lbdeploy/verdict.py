"""What is right and wrong with a cluster, drawn from one observation of each node. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.errors import LbdeployError
from lbdeploy.health import ServerStat
from lbdeploy.model import Cluster, Frontend, Node, Server, Vip
from lbdeploy.plan import NodePlan
from lbdeploy.probe import Observation
from lbdeploy.resources.service import ServiceState

DAEMONS = ("haproxy", "keepalived")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `node` is None where it concerns the whole cluster.

    A finding that is not ok makes a cluster unhealthy, unless it is a warning: something that the operator should know,
    and that costs clients nothing now. `settling`: it may become ok by itself within seconds.
    """

    node: str | None
    check: str
    ok: bool
    detail: str
    fix: str | None = None
    warning: bool = False
    settling: bool = False

    @property
    def failed(self) -> bool:
        return not self.ok and not self.warning

    def to_json(self) -> dict[str, object]:
        """An entry of `findings` in the JSON contract."""
        entry: dict[str, object] = {"node": self.node, "check": self.check, "ok": self.ok, "detail": self.detail}
        entry["severity"] = "ok" if self.ok else "warning" if self.warning else "error"
        return entry | ({"fix": self.fix} if self.fix else {})


@dataclass(frozen=True, slots=True)
class Placement:
    """A VIP and the nodes on which `ip a` shows it; `interface` is where it is meant to be."""

    vip: Vip
    interface: str
    holders: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """An entry of `vips` in the JSON contract."""
        address, network = str(self.vip.ip), self.vip.network
        return {"address": address, "network": network, "interface": self.interface, "holders": list(self.holders)}


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
    vips = tuple(_placement(vip, observations) for vip in cluster.vips) if observations else ()
    all_asked = len(observations) + len(errors or {}) == len(cluster.nodes)
    seen = (" that could be looked at" if errors else "") if all_asked else None
    findings = (
        *(Finding(name, "reach", False, error.message, error.fix) for name, error in (errors or {}).items()),
        *(finding for each in observations for finding in _as_desired(each, plans[each.node.name])),
        *(finding for each in observations for finding in _checked(each)),
        *(finding for placement in vips for finding in _placed(placement, observations, seen)),
        *_holder(cluster, vips, observations),
        *(finding for each in observations for finding in _backends(cluster, each)),
        *_servers(cluster, observations),
        *(finding for each in observations for finding in _answers(each)),
    )
    servers = tuple((each.node.name, server) for each in observations for server in each.servers)
    return Verdict(findings, vips, servers)


def holders(cluster: Cluster, observations: Sequence[Observation]) -> tuple[str, ...]:
    """The nodes on which `ip a` shows any VIP."""
    return tuple(each.node.name for each in observations if any(each.holds(vip.ip) for vip in cluster.vips))


def living(cluster: Cluster, observations: Sequence[Observation]) -> bool:
    """Whether clients may be using the cluster: a VIP is there, or a keepalived that may be about to place one."""
    return bool(holders(cluster, observations)) or any(_service(each, "keepalived").running for each in observations)


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
    elif _service(observation, "haproxy").running:
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


def _placement(vip: Vip, observations: Sequence[Observation]) -> Placement:
    holding = [each for each in observations if each.holds(vip.ip)]
    interface = (holding or observations)[0].node.interfaces[vip.network]
    return Placement(vip, interface, tuple(each.node.name for each in holding))


def _placed(placement: Placement, observations: Sequence[Observation], seen: str | None) -> Iterator[Finding]:
    """Exactly one node has the VIP, once, and on the right interface.

    `seen` qualifies "node" where some could not be looked at; None: only some were asked, and none need have the VIP.
    """
    vip, names = placement.vip, placement.holders
    if not names and seen is not None:
        fix = "see on each node: journalctl -u keepalived -n 20"
        yield Finding(None, "vip", False, f"{vip.ip} is on no node{seen}", fix, settling=not seen)
    if len(names) > 1:
        fix = "the nodes do not hear each other's adverts: is VRRP (IP protocol 112) let through between them?"
        yield Finding(None, "vip", False, f"{vip.ip} is on {' and '.join(names)} at once", fix, settling=True)
    for each in observations:
        want, have = each.node.interfaces[vip.network], each.holds(vip.ip)
        if have and have != [want]:
            detail = f"{vip.ip} is on {', '.join(have)}, should be on {want}"
            yield Finding(each.node.name, "vip", False, detail, "lbdeploy up")
        elif len(names) == 1 and have:
            nowhere = f", and on no other node{seen}" if seen is not None else ""
            yield Finding(each.node.name, "vip", True, f"{vip.ip} is on {want}{nowhere}")


def _holder(cluster: Cluster, vips: Sequence[Placement], observations: Sequence[Observation]) -> Iterator[Finding]:
    """Whether the VIPs are together, and on the node that VRRP's rules expect; if not, why not."""
    names = list(dict.fromkeys(name for placement in vips for name in placement.holders))
    if len(names) != 1 or not all(placement.holders for placement in vips):
        if names:
            detail = "the VIPs are not together: " + ", ".join(
                f"{p.vip.ip} on {' and '.join(p.holders) or 'no node'}" for p in vips
            )
            yield Finding(
                None, "holder", False, detail, "see on each node: journalctl -u keepalived -n 20", settling=True
            )
        return
    holder = next(each for each in observations if each.node.name == names[0])
    better = [each for each in observations if each.node.priority > holder.node.priority]
    able = [each for each in better if _able(each)]
    if not able:
        why = "".join(f"; {each.node.name} is not able to: {_unable(each)}" for each in better)
        yield Finding(None, "holder", True, f"{names[0]} holds the VIPs" + (why or ", as its priority wants"))
    else:
        yield _waiting(cluster, holder.node, able[0])


def _waiting(cluster: Cluster, holder: Node, better: Observation) -> Finding:
    """Why a node that could hold the VIPs, and is of higher priority than the holder, does not."""
    detail = f"{holder.name} holds the VIPs, though {better.node.name} is able to and has the higher priority"
    if not cluster.vrrp.preempt:
        return Finding(None, "holder", True, f"{detail}: preempt is off")
    left = _until_preemption(cluster, better)
    if left > 0:
        text = f"{detail}: it takes them in about {left:.0f} s, after preempt_delay"
        return Finding(None, "holder", False, text, "wait, then: lbdeploy verify", warning=True)
    fix = f"journalctl -u keepalived -n 20 on {better.node.name}"
    return Finding(None, "holder", False, detail, fix, warning=True)


def _until_preemption(cluster: Cluster, better: Observation) -> float:
    """Seconds until a node of higher priority takes the VIPs: from the last start of a daemon there (RFC 5798, 6.4)."""
    vrrp = cluster.vrrp
    since = max(_service(better, daemon).since for daemon in DAEMONS)
    master_down = 3 * vrrp.advert_interval + (256 - better.node.priority) / 256 * vrrp.advert_interval
    return since + vrrp.check_interval * vrrp.check_rise + vrrp.preempt_delay + master_down + 2 - better.now


def _able(observation: Observation) -> bool:
    return not _unable(observation)


def _unable(observation: Observation) -> str:
    """Why a node can't hold a VIP: "" where it can."""
    down = [
        link.name for link in observation.links if link.name in observation.node.interfaces.values() and not link.up
    ]
    stopped = [daemon for daemon in DAEMONS if not _service(observation, daemon).running]
    if stopped:
        return " and ".join(stopped) + (" does" if len(stopped) == 1 else " do") + " not run there"
    if not observation.haproxy_answers:
        return "its haproxy does not answer"
    return f"{' and '.join(down)} is down there" if down else ""


def _backends(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    """Whether a node's haproxy has a server to send clients to."""
    if not observation.haproxy_answers:
        return
    for frontend in cluster.frontends:
        seen = [_stat(observation, frontend, server) for server in frontend.servers]
        up = [stat for stat in seen if stat and stat.up]
        waiting = any(stat and stat.initial for stat in seen)
        detail = f"{frontend.name} has {len(up)} of {len(seen)} servers up"
        fix = f"see whether the servers listen, and let {observation.node.name} connect to them"
        yield Finding(observation.node.name, "backend", bool(up), detail, None if up else fix, settling=waiting)


def _servers(cluster: Cluster, observations: Sequence[Observation]) -> Iterator[Finding]:
    """Each server that any node's haproxy does not see up: a warning, as long as its frontend has another."""
    asked = [each for each in observations if each.haproxy_answers]
    for frontend, server in cluster.servers():
        stats = [(each.node.name, _stat(each, frontend, server)) for each in asked]
        bad = [(name, stat) for name, stat in stats if not (stat and stat.up)]
        name = f"{frontend.name}/{server.name}"
        if stats and not bad:
            yield Finding(None, "server", True, f"{name} is up")
        elif bad:
            told: dict[str, list[str]] = {}
            for node, stat in bad:
                told.setdefault(_describe(stat), []).append(node)
            detail = f"{name} ({server.address}:{server.port}): " + "; ".join(
                f"{what}, seen from {' and '.join(nodes)}" for what, nodes in told.items()
            )
            settling = any(stat and stat.initial for _, stat in bad)
            yield Finding(
                None, "server", False, detail, f"see whether {server.name} runs", warning=True, settling=settling
            )


def _answers(observation: Observation) -> Iterator[Finding]:
    """Whether something behind each VIP answers this node."""
    soon = any(server.up or server.initial for server in observation.servers)
    for each in observation.answered:
        what = f"{each.ip} port {each.port}"
        if each.ok:
            yield Finding(observation.node.name, "api", True, f"{what} answers")
        else:
            fix = "see the findings above; if there are none, is the port let through between the nodes?"
            yield Finding(observation.node.name, "api", False, f"{what} does not answer from here", fix, settling=soon)


def _stat(observation: Observation, frontend: Frontend, server: Server) -> ServerStat | None:
    return next((s for s in observation.servers if (s.frontend, s.server) == (frontend.name, server.name)), None)


def _describe(stat: ServerStat | None) -> str:
    if stat is None:
        return "unknown to haproxy"
    if stat.initial:
        return "not checked yet"
    return " ".join(filter(None, (stat.status, stat.check_status, stat.check_detail and f"({stat.check_detail})")))


def _service(observation: Observation, unit: str) -> ServiceState:
    state = observation.states.get(f"service {unit}")
    return state if isinstance(state, ServiceState) else ServiceState()
