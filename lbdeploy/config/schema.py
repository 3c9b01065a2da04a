"""The shape of hosts.toml: every table and key, with its type, default and meaning.

This is the one place where a key is defined: the checks of a file, docs/hosts-toml.md, the JSON Schema and the
defaults of the model all come from here.

Annotations are no text here (`from __future__ import annotations`): pydantic would compile each: 2 ms of `check`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lbdeploy.config.model import PEERS_PORT, STATUS_PORT
from lbdeploy.config.values import (
    SERVER,
    Addresses,
    AptUri,
    Component,
    Connections,
    Count,
    DnsName,
    FilePath,
    GroupName,
    GroupNames,
    Host,
    HttpStatus,
    IfName,
    IpAddress,
    Jump,
    LocalPath,
    Login,
    Name,
    NetworkNames,
    OwnSections,
    Port,
    ProxyUrl,
    Seconds,
    ServerAddress,
    Subnets,
    Suite,
    TrackedPath,
    TrackName,
    UrlPath,
    Version,
    Vips,
    WholeSeconds,
    server_address,
)


class Table(BaseModel):
    """A table of hosts.toml: unknown keys are errors, and a number is not text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class ClusterTable(Table):
    """The cluster that these load balancers serve."""

    name: Name = Field(description="Name of the cluster; names the VRRP instance.")
    firewall: Literal["none", "nftables"] = Field(
        "none", description='"nftables": the nodes accept only SSH, VRRP from their peers and the ports of frontends.'
    )
    firewall_allow: list[Port] = Field([], max_length=100, description="More TCP ports to accept, from anywhere.")


class SshTable(Table):
    """How to log in. What is not set comes from the operator's SSH configuration, as `ssh -G` resolves it."""

    user: Login | None = Field(None, description="Login on the nodes: root, or a user with sudo.")
    port: Port | None = Field(None, description="Port of sshd.")
    identity_file: FilePath | None = Field(None, description="Private key; relative to hosts.toml.")
    known_hosts_file: FilePath | None = Field(None, description="Known host keys; relative to hosts.toml.")
    jump: Jump | None = Field(None, description="Jump host, as in `ssh -J`. Its key is also verified.")
    connect_timeout: Seconds | None = Field(
        None, description="Seconds after which a connection attempt times out; 10 if ssh has no ConnectTimeout either."
    )


class NetworkTable(Table):
    """A network to which every node is connected."""

    interface: IfName = Field(description="Interface on the nodes; a node may override it.")
    vip: Vips = Field((), description="VIP or VIPs on this network, with prefix length.")


class NodeTable(Table):
    """A load balancer host. Besides these keys, one for each network: the node's address there."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, IpAddress]

    priority: int = Field(ge=1, le=254, description="VRRP priority. The highest is the preferred MASTER.")
    host: Host | None = Field(None, description="What SSH connects to, instead of the address on the VRRP network.")
    interfaces: dict[str, IfName] = Field(default={}, description="Interface names that differ, by network.")


class TrackFileTable(Table):
    """A file on the nodes whose number affects the VRRP priority."""

    file: TrackedPath = Field(
        description="The file, on each node: one in /run, or in /var/lib to last over a reboot. "
        "Where there is none, its number is 0."
    )
    weight: int = Field(
        0,
        ge=-253,
        le=253,
        description="Added to the node's priority, multiplied by the number in the file. "
        "With 0, a number that is not 0 takes the node's VIPs away.",
    )


class TrackScriptTable(Table):
    """A script that nodes run at intervals, and whose result affects the VRRP priority."""

    script: LocalPath = Field(
        description="Script, relative to hosts.toml. It is put on the nodes; root runs it, and 0 is success."
    )
    interval: WholeSeconds = Field(1, description="Whole seconds between runs.")
    timeout: WholeSeconds = Field(2, description="Whole seconds after which a run has failed.")
    fall: Count = Field(1, description="Failed runs until it has failed.")
    rise: Count = Field(2, description="Successful runs until it is good again.")
    weight: int = Field(
        0,
        ge=-253,
        le=253,
        description="Added to the node's priority: below 0 while it fails, above 0 while it succeeds. "
        "With 0, failing takes the node's VIPs away.",
    )


class GroupTable(Table):
    """VIPs that move together, apart from those of other groups: a VRRP instance of their own."""

    router_id: int = Field(ge=1, le=255, description="Virtual router ID; unique on its network.")
    vips: Addresses = Field(description="Which of the networks' VIPs: an address or a list.")
    priorities: dict[Name, Annotated[int, Field(ge=1, le=254)]] = Field(
        default={}, description="Priorities of nodes in this group, by node, instead of their own."
    )
    preempt: bool | None = Field(None, description="As in [vrrp], instead of it.")
    preempt_delay: float | None = Field(None, ge=0, le=1000, description="As in [vrrp], instead of it.")


class VrrpTable(Table):
    """VRRP between the nodes, by keepalived."""

    network: str = Field(description="Network for adverts and for SSH.")
    router_id: int | None = Field(
        None, ge=1, le=255, description="Virtual router ID; unique on its network. Needed unless there are groups."
    )
    advert_interval: float = Field(
        1.0, ge=0.1, le=40.0, description="Seconds between adverts. With 0.1, VIPs move within half a second."
    )
    preempt: bool = Field(True, description="Whether a node of higher priority takes the VIPs back when it returns.")
    preempt_delay: float = Field(30.0, ge=0, le=1000, description="Seconds that it waits before it does so.")
    initial_state: Literal["auto", "MASTER"] = Field(
        "auto",
        description='"auto" starts every node as BACKUP, so that preempt_delay holds; "MASTER" loses the delay, and '
        "needs preempt.",
    )
    mode: Literal["unicast", "multicast"] = Field(
        "unicast", description="Adverts go to each other node's address, or to the group of VRRP: 224.0.0.18, ff02::12."
    )
    max_hops: int = Field(
        0,
        ge=0,
        le=254,
        description="Routers between the nodes on VRRP's network, for unicast: adverts that have passed more count for "
        "nothing. 0: the nodes share a link.",
    )
    notify: LocalPath | None = Field(
        None,
        description="Script, relative to hosts.toml, that is put on the nodes. keepalived calls it as root at each "
        "change of state, with INSTANCE, its name, the state and the priority.",
    )
    notify_master: LocalPath | None = Field(
        None,
        description="Script, relative to hosts.toml, that is run on a node once it holds the VIPs, and whenever it has "
        "to claim them again. It is run again until it succeeds; its arguments are those of notify.",
    )
    notify_backup: LocalPath | None = Field(None, description="The same for a node that leaves them to another one.")
    notify_fault: LocalPath | None = Field(None, description="The same for a node that is not fit to hold them.")
    notify_stop: LocalPath | None = Field(None, description="The same for a node whose keepalived ends.")
    notify_timeout: WholeSeconds = Field(30, description="Whole seconds after which a run of these has failed.")
    notify_retry: WholeSeconds = Field(5, description="Whole seconds from a failed run to the next.")
    track_files: dict[TrackName, TrackFileTable] = Field(
        default={}, max_length=20, description="By name: files on the nodes that affect the VRRP priority."
    )
    track_scripts: dict[TrackName, TrackScriptTable] = Field(
        default={}, max_length=20, description="By name: scripts that affect the VRRP priority."
    )
    groups: dict[GroupName, GroupTable] = Field(
        default={}, max_length=20, description="By name: groups of VIPs, each with a holder of its own."
    )
    check_interval: WholeSeconds = Field(1, description="Whole seconds between checks of haproxy on a node.")
    check_timeout: WholeSeconds = Field(2, description="Whole seconds after which an unanswered check fails.")
    check_fall: Count = Field(1, description="Failed checks until the node gives up its VIPs.")
    check_rise: Count = Field(2, description="Successful checks until the node may hold VIPs again.")


class ServerTable(Table):
    """A server that needs more than an address."""

    address: ServerAddress = Field(description='"address" or "address:port" (default: the frontend\'s).')
    backup: bool = Field(False, description="Whether it gets connections only while no other server is up.")
    max_connections: Connections | None = Field(None, description="Concurrent connections; others wait for it.")
    weight: int | None = Field(
        None, ge=0, le=256, description="Its share of connections, relative to the others; 1 if unset; 0: no new ones."
    )


def _server_table(value: object) -> object:
    return value if isinstance(value, dict) else ServerTable.model_construct(address=server_address(value))


ServerEntry = Annotated[ServerTable, BeforeValidator(_server_table, json_schema_input_type=SERVER | ServerTable)]


class FrontendTable(Table):
    """A port that is open on VIPs, and the servers behind it."""

    port: Port = Field(description="TCP port on the VIPs.")
    networks: NetworkNames = Field((), description="Networks on whose VIPs it listens: a name or a list; all if unset.")
    groups: GroupNames = Field((), description="Groups on whose VIPs it listens: a name or a list; all if unset.")
    allow: Subnets = Field(
        (),
        description="Networks of allowed clients, besides the cluster itself. If unset: everybody.",
    )
    max_connections: Connections | None = Field(None, description="Concurrent connections per node; others wait.")
    proxy_protocol: bool = Field(
        False, description="Whether servers get the client's address in a PROXY header (version 2)."
    )
    balance: Literal["roundrobin", "leastconn", "source"] = Field("roundrobin", description="Balancing algorithm.")
    check: Literal["tcp", "https"] = Field(
        "tcp", description='"tcp": the server accepts connections. "https": GET /readyz answers 200.'
    )
    check_path: UrlPath = Field("/readyz", description="Path that the https check requests.")
    check_status: list[HttpStatus] = Field(
        [200],
        min_length=1,
        max_length=20,
        description="Answers to the https check that mean ready: hardened API servers answer 401 to strangers.",
    )
    check_ca_file: FilePath | None = Field(
        None, description="CA that must have signed a server's certificate (PEM); relative to hosts.toml. For https."
    )
    check_host: DnsName | None = Field(
        None, description="Name that the https check sends (SNI and Host), and that the certificate must have."
    )
    check_token_file: FilePath | None = Field(
        None,
        description="Bearer token that the https check sends, for servers that answer 401 to strangers; relative to "
        "hosts.toml. On the nodes, only root may read it, and it is never shown.",
    )
    check_certificate: FilePath | None = Field(
        None,
        description="Client's certificate and its private key in one file (PEM), for servers that demand one of an "
        "https check; relative to hosts.toml. Kept like the token.",
    )
    interval: Seconds = Field(10.0, description="Seconds between checks of a server.")
    fast_interval: Seconds = Field(
        1.0, description="The same while a server is down, or its state is changing or unknown."
    )
    rise: Count = Field(3, description="Successful checks until a server is UP.")
    fall: Count = Field(2, description="Failed checks until it is DOWN.")
    when_down: Literal["keep", "close"] = Field(
        "keep",
        description='What becomes of open connections of a server that is DOWN: "keep" leaves them, so that one that '
        'shuts down can finish them; "close" closes them at once.',
    )
    slow_start: Seconds | None = Field(
        None, description="Seconds over which a server that comes back is given its share gradually."
    )
    connect_timeout: Seconds = Field(5.0, description="Seconds to wait for a server to accept a connection.")
    check_timeout: Seconds = Field(5.0, description="Seconds to wait for a server's answer to a check.")
    client_timeout: Seconds = Field(14400.0, description="Seconds of silence after which a client is cut off.")
    server_timeout: Seconds = Field(14400.0, description="Seconds of silence after which a server is cut off.")
    servers: dict[Name, ServerEntry] = Field(
        min_length=1,
        max_length=1000,
        description='By name: "address" or "address:port" (default: the frontend\'s), or a table as below.',
    )


class MetricsTable(Table):
    """haproxy's metrics for Prometheus at /metrics, and its page at /stats, on each node's own address."""

    network: str = Field(description="Network on which it listens, at each node's address.")
    port: Port = Field(8404, description="TCP port there.")
    allow: Subnets = Field(
        (), description="Networks that may read them, besides the nodes. If unset: everybody who reaches the address."
    )
    vrrp: bool = Field(
        False,
        description="Whether keepalived's state is written for the node exporter's textfile collector, on each node to "
        "/var/lib/prometheus/node-exporter/lbdeploy-vrrp.prom, where that folder exists.",
    )


class HaproxyTable(Table):
    """haproxy itself, on every node."""

    peers_port: Port = Field(
        PEERS_PORT,
        description="TCP port at each node's address on the VRRP network, where haproxy tells the other nodes who its "
        "clients are; the node that takes over the VIPs has their connections reset at once.",
    )
    status_port: Port = Field(
        STATUS_PORT,
        description="TCP port at the same address, where the other nodes ask whether servers answer through this one: "
        "a node that reaches none of a frontend's servers leaves the VIPs to one that does.",
    )
    extra: list[OwnSections] = Field(
        [],
        max_length=20,
        description="Files with sections of haproxy.cfg of your own, relative to hosts.toml: names, or patterns like "
        '"haproxy.d/*.cfg". They are rendered as templates are, and stand behind lbdeploy\'s sections.',
    )


class RepositoryTable(Table):
    """A repository that apt gets packages from, besides those that the node has."""

    uri: AptUri = Field(description="Its address: http, https, or file for a folder on the node.")
    suite: Suite = Field(description='Suite, like "bookworm-backports"; "./" for a repository without suites.')
    components: list[Component] = Field([], max_length=16, description='Components; none where suite ends in "/".')
    key_file: FilePath | None = Field(
        None, description="Key that signs it, armored or binary; relative to hosts.toml. If unset: apt's own."
    )


class PackagesTable(Table):
    """Which versions of packages are installed, and where apt gets them."""

    haproxy: Version | None = Field(None, description='Version to pin, like "2.6.*"; any if unset.')
    keepalived: Version | None = Field(None, description='The same for keepalived, like "1:2.2.7-1*".')
    socat: Version | None = Field(None, description="The same for socat.")
    apt_proxy: ProxyUrl | None = Field(None, description="Proxy that apt gets packages through, without a password.")
    repositories: dict[Name, RepositoryTable] = Field(
        {}, max_length=20, description="Repositories to get packages from, by name: [packages.repositories.NAME]."
    )


SINGLE: dict[str, type[Table]] = {
    "cluster": ClusterTable,
    "ssh": SshTable,
    "packages": PackagesTable,
    "vrrp": VrrpTable,
    "metrics": MetricsTable,
    "haproxy": HaproxyTable,
}
BELOW: dict[tuple[str, str], type[Table]] = {  # tables with a name of their own, below those
    ("packages", "repositories"): RepositoryTable,
    ("vrrp", "track_files"): TrackFileTable,
    ("vrrp", "track_scripts"): TrackScriptTable,
    ("vrrp", "groups"): GroupTable,
}
NAMED: dict[str, type[Table]] = {"networks": NetworkTable, "nodes": NodeTable, "frontends": FrontendTable}
SECTIONS = (*SINGLE, *NAMED)
