"""What an operator wrote in hosts.toml, as frozen data that the rest of lbdeploy works on.

Made by `lbdeploy.hosts`, which has checked it: every reference resolves, every value is of a type that can't be read as
a directive or a command. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Literal

from lbdeploy.answers import Answers

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Ssh:
    """How to log in. What is None comes from the operator's own SSH configuration, as `ssh -G` resolves it."""

    user: str | None = None
    port: int | None = None
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    jump: str | None = None
    connect_timeout: float | None = None
    config_file: Path | None = None  # what `ssh -F` takes; only the lab sets it
    answers: Answers = field(default_factory=Answers, compare=False, repr=False)  # what no file says


@dataclass(frozen=True, slots=True)
class Network:
    """A layer 2 network that all nodes are on, with the VIPs that float on it."""

    name: str
    interface: str
    vips: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP address: with its prefix length, the network it floats on, and nothing about who holds it."""

    address: Interface
    network: str

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
class Vrrp:
    """VRRP settings (keepalived.conf(5), RFC 5798); `check_*` are those of the script that watches haproxy."""

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


@dataclass(frozen=True, slots=True)
class Server:
    """A backend server: one kube-apiserver."""

    name: str
    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class Frontend:
    """A port on every VIP, and the servers behind it. Timeouts are haproxy's `timeout connect|client|server|check`."""

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


@dataclass(frozen=True, slots=True)
class Repository:
    """Where apt gets packages, too (sources.list(5)). `key`: armored text (RFC 9580, section 6.2), or ""."""

    name: str
    uri: str
    suite: str
    components: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class PackageSources:
    """What apt is told. `pins`: the version, or a pattern of it, that a package is to have, by name."""

    pins: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    repositories: tuple[Repository, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """One hosts.toml: the nodes that share VIPs, and what they balance. `nodes` are in order of falling priority."""

    name: str
    path: Path
    ssh: Ssh
    networks: Mapping[str, Network]
    nodes: tuple[Node, ...]
    vrrp: Vrrp
    frontends: tuple[Frontend, ...]
    packages: PackageSources = field(default_factory=PackageSources)
    firewall: Literal["none", "nftables"] = "none"
    firewall_allow: tuple[int, ...] = ()  # TCP ports

    @cached_property
    def vips(self) -> tuple[Vip, ...]:
        """Every VIP, in the order of the file."""
        return tuple(Vip(address, net.name) for net in self.networks.values() for address in net.vips)

    @property
    def preferred(self) -> Node:
        """The node that holds the VIPs when all are healthy: the highest priority wins (RFC 5798 section 6.4)."""
        return self.nodes[0]

    @property
    def templates(self) -> Path:
        """Where the operator's own templates lie, if there are any: beside hosts.toml."""
        return self.path.parent / "templates"

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def peers(self, node: Node) -> tuple[Node, ...]:
        """The other nodes."""
        return tuple(other for other in self.nodes if other is not node)

    def servers(self) -> Iterator[tuple[Frontend, Server]]:
        """Every server with the frontend it stands behind."""
        return ((frontend, server) for frontend in self.frontends for server in frontend.servers)
