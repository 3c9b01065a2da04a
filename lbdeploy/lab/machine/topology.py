"""Cluster to Topology: which hosts the lab has, on which segment each has a cable, and with which addresses. Pure.

A segment is a layer 2 network. Networks that share an interface on some node share a segment, as they would in a rack.
A host that can't reach a neighbour by the prefix of an address gets an on-link route, so every hosts.toml works: VIPs
with a prefix length of 32, servers outside every network, subnets that have no address left for the client.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface, ip_network
from typing import Literal

from lbdeploy.config.model import Address, Cluster, Frontend, Interface, Node, Server
from lbdeploy.errors import LabError
from lbdeploy.lab.host.paths import CLIENT, OPERATOR, SWITCH

Subnet = IPv4Network | IPv6Network
Kind = Literal["node", "server", "client", "operator"]
Plugs = dict[int, tuple[str, list[Interface]]]  # by segment: a host's interface, and its addresses there

# Prefix lengths where no VIP gives one; and addresses that no real network has (RFC 2544, RFC 5180), for full ones.
_USUAL_PREFIX = {4: 24, 6: 64}
_SPARE = {4: ip_network("198.18.0.0/24"), 6: ip_network("2001:2::/64")}


@dataclass(frozen=True, slots=True)
class Cable:
    """A host's end of a cable: its interface and addresses there. `port` is the switch's end."""

    segment: int
    port: str
    interface: str
    addresses: tuple[Interface, ...]
    routes: tuple[Address, ...] = ()  # neighbours that are on the link, although no prefix says so


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of the lab. `ports` are those that a server listens on; `names` are what it may be called.

    A server at the address of a node runs on that `node`: it is there while the node is, behind the node's cable.
    """

    name: str
    kind: Kind
    cables: tuple[Cable, ...] = ()
    ports: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    node: str = ""

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(each.ip for cable in self.cables for each in cable.addresses)

    @property
    def network(self) -> str:
        """The host whose network namespace it is in."""
        return self.node or self.name


@dataclass(frozen=True, slots=True)
class LabTopology:
    """All of a lab's hosts. `segments` holds the names of the networks on each segment."""

    segments: tuple[tuple[str, ...], ...]
    hosts: tuple[Host, ...]

    def of(self, *kinds: Kind) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.kind in kinds)

    def on(self, node: Host) -> tuple[Host, ...]:
        """The servers that run on a node."""
        return tuple(host for host in self.hosts if host.node == node.name)

    def find(self, name: str) -> Host:
        """The host called `name`, which may also be its address. Raises LabError."""
        found = [host for host in self.hosts if host.name == name] or [h for h in self.hosts if name in h.names]
        if len(found) == 1:
            return found[0]
        known = ", ".join(host.name for host in found or self.hosts)
        raise LabError(f"{name} is {'more than one' if found else 'no'} host of the lab", fix=f"name one of: {known}")

    def cables(self, host: Host, network: str | None) -> tuple[Cable, ...]:
        """The host's cables to one network, or to all. Raises LabError where it has none."""
        found = tuple(c for c in host.cables if network is None or network in self.segments[c.segment])
        if not found:
            known = ", ".join(name for cable in host.cables for name in self.segments[cable.segment])
            raise LabError(f"{host.name} has no cable to a network {network}", fix=f"name one of: {known}")
        return found


def topology(cluster: Cluster) -> LabTopology:
    """The lab of `cluster`. Raises LabError, with every problem, where it can't be one."""
    problems = list(_problems(cluster))
    if problems:
        raise LabError(f"the lab can't stand in for {cluster.path}: " + "; ".join(problems), fix="edit that file")
    return _Builder(cluster).build()


def _problems(cluster: Cluster) -> Iterator[str]:
    for frontend, server in cluster.servers():
        if server.address.is_link_local or server.address.is_loopback:
            yield f"server {server.name} of {frontend.name} has the link's own address {server.address}"
    for node in cluster.nodes:
        if node.name in {SWITCH, CLIENT, OPERATOR}:
            yield f"node {node.name} has the name of another part of the lab"
        yield from (f"node {node.name} has its address on lo" for name in node.interfaces.values() if name == "lo")
        yield from (
            f"node {node.name} has the link's own address {a}" for a in node.addresses.values() if a.is_link_local
        )


class _Builder:
    """Assigns segments, ports and addresses."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.segments = _segments(cluster)
        self.subnets = [self._subnets(segment) for segment in self.segments]
        self.vips = [[v.ip for v in cluster.vips if v.network in segment] for segment in self.segments]
        self.taken: set[Address] = {address for node in cluster.nodes for address in node.addresses.values()}
        self.taken |= {vip.ip for vip in cluster.vips} | {server.address for _, server in cluster.servers()}
        self.hosts: list[Host] = []

    def build(self) -> LabTopology:
        for node in self.cluster.nodes:
            self._add(Host(node.name, "node"), self._node_cables(node))
        for address in dict.fromkeys(server.address for _, server in self.cluster.servers()):
            self._add_server(address)
        self._add(Host(CLIENT, "client"), self._guest_cables())
        self._add(Host(OPERATOR, "operator"), self._guest_cables())
        return LabTopology(self.segments, tuple(self._routed(host) for host in self.hosts))

    def _subnets(self, segment: tuple[str, ...]) -> list[Subnet]:
        """The widest subnets of the VIPs, and one of the usual size around each node's address that is in none."""
        networks = [self.cluster.networks[name] for name in segment]
        given = [v.network for network in networks for v in network.vips if v.network.prefixlen < v.max_prefixlen]
        subnets: list[Subnet] = [net for net in given if not net.is_link_local]
        for node in self.cluster.nodes:
            for address in (node.addresses[name] for name in segment):
                if not any(address in net for net in subnets):
                    subnets.append(ip_network((address, _USUAL_PREFIX[address.version]), strict=False))
        return [net for net in dict.fromkeys(subnets) if not any(_inside(net, other) for other in subnets)]

    def _add(self, host: Host, cables: Plugs) -> None:
        ends = (Cable(at, _port(host, name), name, tuple(adds)) for at, (name, adds) in sorted(cables.items()))
        self.hosts.append(replace(host, cables=tuple(ends)))

    def _node_cables(self, node: Node) -> Plugs:
        cables: Plugs = {}
        for name, address in node.addresses.items():
            at = next(number for number, segment in enumerate(self.segments) if name in segment)
            there = cables.setdefault(at, (node.interfaces[name], []))[1]
            there += {self._interface(address, at)}.difference(there)  # one address may be for several networks
        return cables

    def _add_server(self, address: Address) -> None:
        named = [(frontend, server) for frontend, server in self.cluster.servers() if server.address == address]
        names = {str(address), *(s.name for _, s in named), *(f"{f.name}/{s.name}" for f, s in named)}
        ports = {server.port for _, server in named}
        host = Host(self._server_name(*named[0]), "server", (), tuple(sorted(ports)), tuple(sorted(names)))
        if on := self.cluster.node_at(address):
            (node,) = (each for each in self.hosts if each.name == on.name)
            self.hosts.append(replace(host, node=on.name, cables=_bearing(address, node.cables)))
            return
        at = self._segment_of(address)
        self._add(host, {at: ("eth0", [self._interface(address, at)])})

    def _server_name(self, frontend: Frontend, server: Server) -> str:
        taken = {host.name for host in self.hosts} | {SWITCH, CLIENT, OPERATOR}
        long = f"{frontend.name}-{server.name}"
        names = (server.name, long, *(f"{long}-{number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)

    def _segment_of(self, address: Address) -> int:
        """The segment with the narrowest subnet around it; or else VRRP's, or one whose nodes have its IP version."""
        around = [(net.prefixlen, -at) for at, nets in enumerate(self.subnets) for net in nets if address in net]
        if around:
            return -max(around)[1]
        home = next(at for at, segment in enumerate(self.segments) if self.cluster.vrrp.network in segment)
        speaking = [at for at, nets in enumerate(self.subnets) if any(net.version == address.version for net in nets)]
        return home if home in speaking or not speaking else speaking[0]

    def _guest_cables(self) -> Plugs:
        return {
            at: (f"eth{at}", [self._free(subnet, at) for subnet in subnets]) for at, subnets in enumerate(self.subnets)
        }

    def _free(self, subnet: Subnet, segment: int) -> Interface:
        """The highest free address, or a spare one where the subnet is full."""
        highest = int(subnet.broadcast_address) - (1 if subnet.version == 4 and subnet.prefixlen < 31 else 0)
        lowest = max(int(subnet.network_address) + 1, highest - len(self.taken))
        kind = IPv4Address if subnet.version == 4 else IPv6Address
        spares = (address for address in _SPARE[subnet.version].hosts())
        within: Iterable[Address] = (kind(number) for number in range(highest, lowest - 1, -1))
        found = next((each for each in within if each not in self.taken), None)
        address = found or next(each for each in spares if each not in self.taken)
        self.taken.add(address)
        return self._interface(address, segment)

    def _interface(self, address: Address, segment: int) -> Interface:
        prefix = max((net.prefixlen for net in self.subnets[segment] if address in net), default=address.max_prefixlen)
        return ip_interface(f"{address}/{prefix}")

    def _routed(self, host: Host) -> Host:
        return replace(host, cables=tuple(replace(c, routes=tuple(self._routes(host, c))) for c in host.cables))

    def _routes(self, host: Host, cable: Cable) -> Iterator[Address]:
        others = [c for o in self.hosts if _talk(o, host) for c in o.cables if c.segment == cable.segment]
        wanted = [each.ip for other in others for each in other.addresses]
        wanted += [] if host.kind == "node" else self.vips[cable.segment]
        for address in dict.fromkeys(wanted):
            near = any(address in each.network for each in cable.addresses)
            # IPv6 can use its link-local address as the source where there is no other; IPv4 has none.
            speaks = address.version == 6 or any(each.version == 4 for each in cable.addresses)
            if speaks and not near and not address.is_link_local:
                yield address


def _bearing(address: Address, cables: Iterable[Cable]) -> tuple[Cable, ...]:
    """A node's cable with this address, and none of its others."""
    found = ((cable, each) for cable in cables for each in cable.addresses)
    return tuple(replace(cable, addresses=(each,)) for cable, each in found if each.ip == address)


def _talk(one: Host, other: Host) -> bool:
    """Whether the two communicate. Servers do not with each other, and there may be many."""
    return one is not other and not one.kind == other.kind == "server"


def _port(host: Host, interface: str) -> str:
    """The switch port's name, independent of other hosts, so that a change of one leaves the others plugged in."""
    return "p" + hashlib.sha256(f"{host.name} {interface}".encode()).hexdigest()[:12]


def _segments(cluster: Cluster) -> tuple[tuple[str, ...], ...]:
    groups = [{name} for name in cluster.networks]
    for node in cluster.nodes:
        for interface in set(node.interfaces.values()):
            sharing = {name for name, used in node.interfaces.items() if used == interface}
            joined = set().union(*(group for group in groups if group & sharing))
            groups = [group for group in groups if not group & sharing] + [joined]
    order = list(cluster.networks)
    return tuple(sorted((tuple(sorted(g, key=order.index)) for g in groups), key=lambda names: order.index(names[0])))


def _inside(net: Subnet, other: Subnet) -> bool:
    return net.version == other.version and net != other and net.subnet_of(other)  # type: ignore[arg-type]
