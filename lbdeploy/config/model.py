"""The contents of hosts.toml, as frozen data that the rest of lbdeploy works on.

Made and checked by `lbdeploy.config.reader`: every reference resolves, and every value is of a type that can't be
mistaken for a directive or a command. Times are in seconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Literal

from lbdeploy.config.credentials import Answers

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Subnet = IPv4Network | IPv6Network

PEERS_PORT, STATUS_PORT = 10646, 10647
STATUS = "lbdeploy-status"  # the frontend of haproxy.cfg through which other nodes ask for servers
NOTIFIED = {state: f"notify_{state.lower()}" for state in ("MASTER", "BACKUP", "FAULT", "STOP")}  # keys by state
METRICS = "lbdeploy-metrics"  # the frontend of haproxy.cfg that serves haproxy's own metrics


def instance_name(name: str) -> str:
    """What the VRRP instance of a cluster or a group is called in keepalived.conf."""
    return "VI_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


ADMIN = "admin"  # the name of haproxy's own socket, beside those of the frontends


def frontend_socket(frontend: str) -> str:
    """The socket of a frontend on its own node, usable whichever node holds the VIPs."""
    return f"/run/haproxy/{frontend}.sock"


@dataclass(frozen=True, slots=True)
class Ssh:
    """How to log in. Where a field is None, the operator's own SSH configuration applies, as `ssh -G` resolves it."""

    user: str | None = None
    port: int | None = None
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    jump: str | None = None
    connect_timeout: float | None = None
    config_file: Path | None = None  # what `ssh -F` takes; only the lab sets it
    answers: Answers = field(default_factory=Answers, compare=False, repr=False)  # what no file contains

    @property
    def in_lab(self) -> bool:
        """Whether this is how one logs in to the lab's nodes: with its own SSH configuration, key and known_hosts."""
        return self.config_file is not None


@dataclass(frozen=True, slots=True)
class Network:
    """A layer 2 network that all nodes are attached to, with the VIPs that float on it."""

    name: str
    interface: str
    vips: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP address, with its prefix length and its network; which node holds it is not part of it.

    `group`: the group that it moves with; "" where the file has none.
    """

    address: Interface
    network: str
    group: str = ""

    @property
    def ip(self) -> Address:
        return self.address.ip


@dataclass(frozen=True, slots=True)
class Node:
    """A load balancer host. `addresses` and `interfaces` have an entry for each network."""

    name: str
    priority: int
    host: str  # what SSH connects to: an address, a name, or an alias of ~/.ssh/config
    addresses: Mapping[str, Address]
    interfaces: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the operator's: its path as in hosts.toml, and its text, which is put on the nodes."""

    path: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the operator's: the path of its file as in hosts.toml, and its text; root alone reads it on nodes."""

    path: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OwnSections:
    """A file with sections of haproxy.cfg of the operator's: its path beside hosts.toml, and its text, a template."""

    path: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A file on the nodes; its number times `weight` is added to a node's priority. Weight 0: a number is a failure."""

    name: str
    file: str
    weight: int


@dataclass(frozen=True, slots=True)
class TrackScript:
    """A script whose `weight` is added to a node's priority: a positive one while it succeeds, a negative one while it
    fails. With 0, a node on which it fails leaves the election."""

    name: str
    script: Script
    interval: int
    timeout: int
    fall: int
    rise: int
    weight: int


@dataclass(frozen=True, slots=True)
class Group:
    """VIPs that move together, by a VRRP instance of their own; `priorities` has every node's."""

    name: str
    router_id: int
    vips: tuple[Address, ...]
    priorities: Mapping[str, int]
    preempt: bool
    preempt_delay: float


@dataclass(frozen=True, slots=True)
class Vrrp:
    """VRRP settings (keepalived.conf(5), RFC 5798); `check_*` are those of the script that watches haproxy.

    `router_id` is 0 where there are groups, each of which has its own.
    """

    network: str
    router_id: int
    advert_interval: float
    preempt: bool
    preempt_delay: float
    initial_state: Literal["auto", "MASTER"]
    check_interval: int
    check_timeout: int
    check_fall: int
    check_rise: int
    mode: Literal["unicast", "multicast"] = "unicast"
    max_hops: int = 0
    notify: Script | None = None
    notify_master: Script | None = None
    notify_backup: Script | None = None
    notify_fault: Script | None = None
    notify_stop: Script | None = None
    notify_timeout: int = 30
    notify_retry: int = 5
    track_files: tuple[TrackFile, ...] = ()
    track_scripts: tuple[TrackScript, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def tracks(self) -> bool:
        """Whether more than haproxy affects which node holds the VIPs: then configured priorities alone don't tell."""
        return bool(self.track_files or self.track_scripts)

    @property
    def told(self) -> dict[str, Script]:
        """By state, the scripts that are told of it until they succeed."""
        found = {state: getattr(self, key) for state, key in NOTIFIED.items()}
        return {state: script for state, script in found.items() if script}

    @property
    def scripts(self) -> tuple[Script, ...]:
        """The operator's scripts that are put on the nodes for keepalived to run."""
        tracked = tuple(each.script for each in self.track_scripts)
        return (*tracked, *((self.notify,) if self.notify else ()), *self.told.values())


@dataclass(frozen=True, slots=True)
class Server:
    """A backend server, such as a kube-apiserver. With weight 0 it gets no new connections; None means 1."""

    name: str
    address: Address
    port: int
    backup: bool = False
    max_connections: int | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Frontend:
    """A port on VIPs, and the servers behind it. Timeouts are haproxy's `timeout connect|client|server|check`.

    `networks` and `groups` are those on whose VIPs it listens; none: on all VIPs. `check_ca` holds certificates in PEM.
    `allow` are the networks of its clients, besides the cluster's own addresses; none: everybody. `check_token` and
    `check_certificate` are what haproxy shows to the servers that it checks: a bearer token (RFC 6750), and a client's
    certificate with its private key in PEM.
    """

    name: str
    port: int
    balance: Literal["roundrobin", "leastconn", "source"]
    check: Literal["tcp", "https"]
    interval: float
    fast_interval: float
    rise: int
    fall: int
    connect_timeout: float
    client_timeout: float
    server_timeout: float
    check_timeout: float
    servers: tuple[Server, ...]
    networks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    proxy_protocol: bool = False
    check_path: str = "/readyz"
    check_status: tuple[int, ...] = (200,)
    check_ca: str | None = None
    check_host: str | None = None
    check_token: Secret | None = None
    check_certificate: Secret | None = None
    when_down: Literal["keep", "close"] = "keep"
    slow_start: float | None = None
    max_connections: int | None = None
    allow: tuple[Subnet, ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What is put on the nodes for root alone to read."""
        return tuple(each for each in (self.check_token, self.check_certificate) if each)

    @property
    def backups(self) -> tuple[Server, ...]:
        """The servers that get connections only while no other one is up."""
        return tuple(server for server in self.servers if server.backup)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where haproxy serves its metrics: a port on each node's own address. `allow`: as for a frontend.

    `vrrp`: keepalived's state is written as metrics, too, for the node exporter.
    """

    network: str
    port: int
    allow: tuple[Subnet, ...] = ()
    vrrp: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """An additional apt repository (sources.list(5)). `key`: armored text (RFC 9580, section 6.2), or ""."""

    name: str
    uri: str
    suite: str
    components: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class PackageSources:
    """Settings for apt. `pins`: by package, the version that it is to have, or a pattern for it."""

    pins: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    repositories: tuple[Repository, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """One hosts.toml: the nodes that share VIPs, and what they balance. `nodes` are in descending priority.

    `group`: the group that this is the part of, for a cluster that is one of another's `parts`.
    """

    name: str
    path: Path
    ssh: Ssh
    networks: Mapping[str, Network]
    nodes: tuple[Node, ...]
    vrrp: Vrrp
    frontends: tuple[Frontend, ...]
    metrics: Metrics | None = None
    packages: PackageSources = field(default_factory=PackageSources)
    firewall: Literal["none", "nftables"] = "none"
    firewall_allow: tuple[int, ...] = ()  # TCP ports
    peers_port: int = PEERS_PORT  # where the nodes' haproxy tell each other who their clients are
    status_port: int = STATUS_PORT  # where they ask each other whether servers answer
    extra: tuple[OwnSections, ...] = ()
    group: str = ""

    @cached_property
    def vips(self) -> tuple[Vip, ...]:
        """Every VIP, in the order of the file."""
        groups = {address: group.name for group in self.vrrp.groups for address in group.vips}
        return tuple(
            Vip(address, net.name, groups.get(address.ip, self.group))
            for net in self.networks.values()
            for address in net.vips
        )

    @cached_property
    def parts(self) -> tuple[Cluster, ...]:
        """What VRRP elects a holder for: each group as a cluster of its own, on the same nodes, with its own VIPs.

        A file without groups has one part, which is the whole. See docs/decisions/069-groups.md.
        """
        return tuple(self._part(group) for group in self.vrrp.groups) or (self,)

    def _part(self, group: Group) -> Cluster:
        own = {"router_id": group.router_id, "preempt": group.preempt, "preempt_delay": group.preempt_delay}
        nodes = [replace(node, priority=group.priorities[node.name]) for node in self.nodes]
        networks = {
            name: replace(each, vips=tuple(vip for vip in each.vips if vip.ip in group.vips))
            for name, each in self.networks.items()
        }
        return replace(
            self,
            networks=networks,
            nodes=tuple(sorted(nodes, key=lambda node: -node.priority)),
            vrrp=replace(self.vrrp, groups=(), **own),  # type: ignore[arg-type]
            group=group.name,
        )

    def part(self, group: str) -> Cluster:
        """The part of that group. Raises KeyError."""
        for each in self.parts:
            if each.group == group:
                return each
        raise KeyError(group)

    def handover(self, flags: str) -> str:
        """The command that hands its VIPs over."""
        return f"lbdeploy handover --group {self.group} {flags}" if self.group else f"lbdeploy handover {flags}"

    @property
    def its_vips(self) -> str:
        """What its VIPs are called in sentences."""
        return f"the VIPs of {self.group}" if self.group else "the VIPs"

    def vips_of(self, frontend: Frontend) -> tuple[Vip, ...]:
        """The VIPs on which a frontend listens."""
        there = (vip for vip in self.vips if vip.network in (frontend.networks or self.networks))
        return tuple(vip for vip in there if not frontend.groups or vip.group in frontend.groups)

    @property
    def targets(self) -> tuple[tuple[Address, int], ...]:
        """Where to probe the cluster from outside: each VIP, with the port of its first frontend."""
        return tuple((ip, each.port) for ip, each in self.probed.items())

    @property
    def probed(self) -> dict[Address, Frontend]:
        """The first frontend of each VIP that has one."""
        first = {vip.ip: each for each in reversed(self.frontends) for vip in self.vips_of(each)}
        return {vip.ip: first[vip.ip] for vip in self.vips if vip.ip in first}

    @property
    def own(self) -> tuple[Address, ...]:
        """The source addresses of the cluster itself: the nodes' own, and the VIPs of a holder."""
        return tuple(
            dict.fromkeys((*(a for node in self.nodes for a in node.addresses.values()), *(v.ip for v in self.vips)))
        )

    @property
    def instance(self) -> str:
        """The name of the VRRP instance: for the cluster k8s-api, or the group of that name, VI_K8S_API."""
        return instance_name(self.group or self.name)

    @property
    def preferred(self) -> Node:
        """The node that holds the VIPs when all are healthy: the highest priority wins (RFC 5798 section 6.4)."""
        return self.nodes[0]

    @property
    def templates(self) -> Path:
        """The folder of the operator's own templates, if any: beside hosts.toml."""
        return templates_beside(self.path)

    @property
    def has_own_templates(self) -> bool:
        """Whether files are made from templates or sections of the operator's own, which may be wrong."""
        return bool(self.extra) or os.path.lexists(self.templates)

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def node_at(self, address: Address) -> Node | None:
        """The node with an address; None: there is none. A server at one runs on that node."""
        return next((node for node in self.nodes if address in node.addresses.values()), None)

    @property
    def firewall_opens(self) -> frozenset[int]:
        """The TCP ports that the nodes' firewall opens to everybody."""
        more = (self.metrics.port,) if self.metrics else ()
        return frozenset((self.ssh.port or 22, *(each.port for each in self.frontends), *more, *self.firewall_allow))

    def peers(self, node: Node) -> tuple[Node, ...]:
        """The other nodes."""
        return tuple(other for other in self.nodes if other.name != node.name)

    def servers(self) -> Iterator[tuple[Frontend, Server]]:
        """Every server, with the frontend that it belongs to."""
        return ((frontend, server) for frontend in self.frontends for server in frontend.servers)


def templates_beside(file: Path) -> Path:
    """The folder of the operator's own templates for a hosts.toml."""
    return file.parent / "templates"
