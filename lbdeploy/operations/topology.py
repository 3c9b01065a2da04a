"""The cluster as a picture's data: networks with their VIPs, nodes, frontends and servers, and the state of each. Pure.

Made from hosts.toml alone, or with what a look at the nodes found: then every part says how it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lbdeploy.config.model import Cluster, Frontend, Network, Node, Server, Vip
from lbdeploy.operations.status import Status

State = Literal["good", "idle", "warn", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class VipView:
    """A VIP and the nodes that hold it; `state` is good where exactly one does. `group`: the one it is of, if any."""

    address: str
    holders: tuple[str, ...] = ()
    state: State = "unknown"
    group: str = ""

    @property
    def told(self) -> str:
        """Its address, and its group, where there are any."""
        return f"{self.address} ({self.group})" if self.group else self.address


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A layer 2 network. `interface`: its usual name on the nodes; `vrrp`: adverts travel here."""

    name: str
    interface: str
    vips: tuple[VipView, ...]
    vrrp: bool


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node. `role` is its VRRP state; `addresses` are (network, address); good: it holds VIPs, idle: it could.

    `groups`: (group, role, priority), where there are any.
    """

    name: str
    priority: int
    addresses: tuple[tuple[str, str], ...]
    role: str = ""
    state: State = "unknown"
    groups: tuple[tuple[str, str, int], ...] = ()

    @property
    def told(self) -> str:
        """Its role, where that is known, and its priority; in each group, where there are any."""
        if self.groups:
            return "; ".join(" ".join(filter(None, (name, role, str(number)))) for name, role, number in self.groups)
        return f"{self.role}, priority {self.priority}" if self.role else f"priority {self.priority}"


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server behind a frontend; `detail` is what haproxy's check says, as the holder sees it."""

    name: str
    address: str
    detail: str = ""
    state: State = "unknown"


@dataclass(frozen=True, slots=True)
class FrontendView:
    """A port on VIPs, and the servers behind it. `how`: balancing and check, in words."""

    name: str
    port: int
    how: str
    vips: tuple[str, ...]
    servers: tuple[ServerView, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole cluster; `live`: the states are those of a look at the nodes. `election` says how VRRP is spoken."""

    name: str
    networks: tuple[NetworkView, ...]
    nodes: tuple[NodeView, ...]
    frontends: tuple[FrontendView, ...]
    election: str
    live: bool

    def to_json(self) -> dict[str, object]:
        """`networks`, `nodes` and `frontends`, each with its states; `live` says whether these were looked at."""
        return {
            "live": self.live,
            "networks": [
                {"name": each.name, "interface": each.interface, "vrrp": each.vrrp,
                 "vips": [{"address": vip.address, "holders": list(vip.holders), "state": vip.state,
                           **({"group": vip.group} if vip.group else {})} for vip in each.vips]}
                for each in self.networks
            ],
            "nodes": [
                {"name": each.name, "priority": each.priority, "addresses": dict(each.addresses), "role": each.role,
                 "state": each.state,
                 **({"groups": [{"group": group, "role": role, "priority": number}
                                for group, role, number in each.groups]} if each.groups else {})}
                for each in self.nodes
            ],
            "frontends": [
                {"name": each.name, "port": each.port, "vips": list(each.vips),
                 "servers": [{"name": s.name, "address": s.address, "state": s.state, "detail": s.detail}
                             for s in each.servers]}
                for each in self.frontends
            ],
        }  # fmt: skip


def topology(cluster: Cluster, status: Status | None = None) -> Topology:
    """The cluster of hosts.toml; with `status`, how it is."""
    vrrp = cluster.vrrp
    routers = " and ".join(
        f"{part.vrrp.router_id} ({part.group})" if part.group else str(part.vrrp.router_id) for part in cluster.parts
    )
    election = f"VRRP {routers}, {vrrp.mode}, an advert every {vrrp.advert_interval:g} s"
    return Topology(
        cluster.name,
        tuple(_network(cluster, each, status) for each in cluster.networks.values()),
        tuple(_node(cluster, each, status) for each in cluster.nodes),
        tuple(_frontend(cluster, each, status) for each in cluster.frontends),
        election,
        live=status is not None,
    )


def _network(cluster: Cluster, network: Network, status: Status | None) -> NetworkView:
    vips = tuple(_vip(vip, status) for vip in cluster.vips if vip.network == network.name)
    return NetworkView(network.name, network.interface, vips, network.name == cluster.vrrp.network)


def _vip(vip: Vip, status: Status | None) -> VipView:
    placement = next((each for each in status.vips if each.vip == vip), None) if status else None
    if placement is None:
        return VipView(str(vip.ip), group=vip.group)
    unsure: State = "unknown" if placement.unknown else "bad"
    state: State = "good" if len(placement.holders) == 1 else "bad" if placement.holders else unsure
    return VipView(str(vip.ip), placement.holders, state, vip.group)


def _node(cluster: Cluster, node: Node, status: Status | None) -> NodeView:
    addresses = tuple((name, str(address)) for name, address in node.addresses.items())
    groups = tuple(_in_group(part, node, status) for part in cluster.parts if part.group)
    view = NodeView(node.name, node.priority, addresses, groups=groups)
    if status is None:
        return view
    if node.name not in status.nodes:
        role, state = ("unreachable", "bad") if node.name in status.errors else ("", "unknown")
    else:
        role, state = status.nodes[node.name].state, _health(cluster, node, status)
    return replace(view, role=role, state=state)  # type: ignore[arg-type]


def _in_group(part: Cluster, node: Node, status: Status | None) -> tuple[str, str, int]:
    snapshot = status.nodes.get(node.name) if status else None
    role = snapshot.said(snapshot.groups[part.group]) if snapshot else ""
    return part.group, role, part.node(node.name).priority


def _health(cluster: Cluster, node: Node, status: Status) -> State:
    snapshot = status.nodes[node.name]
    troubles = [each for each in status.warnings if each.node == node.name and each.check in ("service", "vrrp")]
    if troubles or snapshot.state in ("FAULT", "off", "unknown"):
        return "bad"
    return "good" if snapshot.seen.holds_any(cluster) else "idle"


def _frontend(cluster: Cluster, frontend: Frontend, status: Status | None) -> FrontendView:
    check = "TCP check" if frontend.check == "tcp" else f"GET {frontend.check_path} every {frontend.interval:g} s"
    servers = tuple(_server(frontend, each, status) for each in frontend.servers)
    vips = tuple(str(vip.ip) for vip in cluster.vips_of(frontend))
    return FrontendView(frontend.name, frontend.port, f"{frontend.balance}, {check}", vips, servers)


def _server(frontend: Frontend, server: Server, status: Status | None) -> ServerView:
    """As the holder's haproxy sees it, or another node's where no holder was looked at."""
    host = f"[{server.address}]" if server.address.version == 6 else str(server.address)
    view = ServerView(server.name, f"{host}:{server.port}")
    for seen in _holder_first(status) if status else ():
        for stat in status.nodes[seen].seen.servers if status else ():
            if (stat.frontend, stat.server) == (frontend.name, server.name):
                state: State = "good" if stat.up else "warn" if stat.drained else "bad"
                return ServerView(view.name, view.address, f"{stat.status} {stat.check_status}".strip(), state)
    return view


def _holder_first(status: Status) -> Iterator[str]:
    holding = [name for placement in status.vips for name in placement.holders if name in status.nodes]
    return iter(dict.fromkeys((*holding, *status.nodes)))
