"""The shape of hosts.toml: every table and key, with its type, default and meaning.

This is the one place where a key is defined: the checks of a file, docs/hosts-toml.md, the JSON Schema and the
defaults of the model all come from here. Every string is of a type that admits only what can't be read as a directive,
an option or a command, so nothing has to be escaped later.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_interface
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lbdeploy.model import Address, Interface, Subnet


def _text(value: object, what: str, example: str) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "is not text", {"fix": f'write {what} in quotes, like "{example}"'})
    return value


def _no_scope(text: str) -> str:
    # Python takes any text after the % of an IPv6 address (RFC 4007 section 11), also spaces and line breaks.
    if "%" in text:
        raise ValueError(text)
    return text


def _address(value: object) -> Address:
    text = _text(value, "an IP address", "192.168.1.21")
    try:
        return ip_address(_no_scope(text))
    except ValueError:
        hint = "an IP address without a prefix length" if "/" in text else "an IPv4 or IPv6 address"
        raise PydanticCustomError(
            "address",
            "{value} is not an IP address",
            {"value": repr(text), "fix": f'write {hint}, like "192.168.1.21"'},
        ) from None


def _vip(value: object) -> Interface:
    text = _text(value, "a VIP", "192.168.0.10/24")
    fix = 'write the address with its prefix length, like "192.168.0.10/24"'
    if "/" not in text:
        raise PydanticCustomError("vip", "{value} has no prefix length", {"value": repr(text), "fix": fix})
    try:
        return ip_interface(_no_scope(text))
    except ValueError:
        raise PydanticCustomError("vip", "{value} is not a VIP", {"value": repr(text), "fix": fix}) from None


def _vips(value: object) -> tuple[Interface, ...]:
    return tuple(_vip(each) for each in value) if isinstance(value, list) else (_vip(value),)


def split_server(text: str) -> tuple[Address, int | None]:
    """The address, and the port or None, of "address", "address:port" or "[address]:port". Raises ValueError."""
    _no_scope(text)
    if text.startswith("["):
        host, separator, port = text[1:].partition("]:")
    elif text.count(":") == 1:
        host, separator, port = text.partition(":")
    else:
        host, separator, port = text, "", ""
    if not separator:
        return ip_address(host), None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(port)
    return ip_address(host), int(port)


def _server(value: object) -> tuple[Address, int | None]:
    text = _text(value, "a server", "192.168.1.21:6443")
    try:
        return split_server(text)
    except ValueError:
        raise PydanticCustomError(
            "server",
            "{value} is not a server",
            {
                "value": repr(text),
                "fix": 'write "address" or "address:port" with an IP address: names are not resolved',
            },
        ) from None


def _list(value: object) -> list[object]:
    """What may be written as a list, or by itself where there is but one."""
    if value == []:
        raise PydanticCustomError("empty", "is empty", {"fix": "name at least one, or leave the key out"})
    return value if isinstance(value, list) else [value]


def _names(value: object) -> tuple[str, ...]:
    return tuple(_text(each, "a network's name", "external") for each in _list(value))


def _subnets(value: object) -> tuple[Subnet, ...]:
    return tuple(_subnet(each) for each in _list(value))


def _subnet(value: object) -> Subnet:
    text = _text(value, "a network", "10.0.0.0/8")
    try:
        found = ip_interface(_no_scope(text))
    except ValueError:
        fix = 'write the address of a network with its prefix length, like "10.0.0.0/8"'
        raise PydanticCustomError("subnet", "{value} is not a network", {"value": repr(text), "fix": fix}) from None
    if found.ip != found.network.network_address:
        fix = f'write "{found.network}" for the network, or "{found.ip}" for this host alone'
        raise PydanticCustomError("subnet", "{value} is a host within a network", {"value": repr(text), "fix": fix})
    return found.network


def _whole_seconds(value: object) -> object:
    if isinstance(value, float):
        fix = "write 1 or more: keepalived 2.2 counts the seconds of its checks as whole ones"
        raise PydanticCustomError("whole", "{value} is not a whole number", {"value": repr(value), "fix": fix})
    return value


class Like:
    """Text of this pattern, as the JSON Schema says it; nothing is refused for it here."""

    def __init__(self, pattern: str) -> None:
        self.pattern = f"^(?:{pattern})$"

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "pattern": self.pattern}


class Plain(Like):
    """Text that matches the pattern as a whole, or it is refused."""

    def __init__(self, pattern: str, what: str, example: str) -> None:
        super().__init__(pattern)
        self._compiled = re.compile(pattern)
        self._hint = {"what": what, "fix": f'write one like "{example}"'}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if self._compiled.fullmatch(value):
            return value
        raise PydanticCustomError("plain", "{value} is not {what}", {"value": repr(value), **self._hint})


_V4 = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_V6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
_IP = Annotated[str, Like(f"{_V4}|{_V6}")]
_VIP = Annotated[str, Like(f"(?:{_V4}|{_V6})/[0-9.]+")]
_SUBNET = Annotated[str, Like(f"(?:{_V4}|{_V6})(?:/[0-9.]+)?")]
_SERVER = Annotated[str, Like(rf"{_V4}(?::[0-9]+)?|{_V6}|\[(?:{_V4}|{_V6})\]:[0-9]+")]

Name = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", "a plain name", "lb-1")]
IfName = Annotated[str, Plain(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", "an interface name", "ens33")]
Login = Annotated[str, Plain(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "a login name", "ops")]
Host = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_.:%-]{0,252}[A-Za-z0-9])?", "a host name", "lb1.example.org")]
Jump = Annotated[str, Plain(r"[A-Za-z0-9_][A-Za-z0-9_.@:,\[\]-]{0,254}", "a jump host", "ops@bastion:22")]
FilePath = Annotated[str, Plain(r"[^\x00-\x1f\x7f]{1,4095}", "a path", "~/.ssh/id_ed25519")]
TrackedPath = Annotated[
    str,
    # A folder that is there at each start: without one, keepalived 2.3.3 ends (measured: by a segmentation fault).
    Plain(
        r"/(run|var/lib)/(?!lbdeploy)[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}",
        "a file directly in /run or /var/lib",
        "/run/uplink",
    ),
]
LocalPath = Annotated[
    str,
    Plain(
        r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}){0,9}",
        "a file below the folder of hosts.toml",
        "scripts/check-uplink.sh",
    ),
]
TrackName = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?", "a plain name", "uplink")]
IpAddress = Annotated[Address, BeforeValidator(_address, json_schema_input_type=_IP)]
Vips = Annotated[tuple[Interface, ...], BeforeValidator(_vips, json_schema_input_type=_VIP | list[_VIP])]
_URL = r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_VERSION = r"[A-Za-z0-9*][A-Za-z0-9.+~:*-]{0,126}"
Version = Annotated[str, Plain(_VERSION, "a version, or a pattern with *", "2.6.*")]
ProxyUrl = Annotated[str, Plain(_URL + "/?", "the URL of a proxy without a password", "http://10.0.0.5:3142")]
AptUri = Annotated[
    str, Plain(rf"(?:{_URL}|file:)(?:/[A-Za-z0-9._~+-]+)*/?", "the URI of a repository", "http://10.0.0.5/debian")
]
Suite = Annotated[str, Plain(r"\./|[A-Za-z0-9][A-Za-z0-9._/-]{0,126}", "a suite", "bookworm-backports")]
Component = Annotated[str, Plain(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}", "a component", "main")]
ServerAddress = Annotated[tuple[Address, int | None], BeforeValidator(_server, json_schema_input_type=_SERVER)]
NetworkNames = Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | list[str])]
Subnets = Annotated[tuple[Subnet, ...], BeforeValidator(_subnets, json_schema_input_type=_SUBNET | list[_SUBNET])]
UrlPath = Annotated[str, Plain(r"/[A-Za-z0-9/_.~%?=&-]{0,255}", "a path", "/readyz")]
DnsName = Annotated[
    str, Plain(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "a DNS name", "kubernetes")
]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=100)]
Connections = Annotated[int, Field(ge=1, le=10_000_000)]
WholeSeconds = Annotated[int, BeforeValidator(_whole_seconds), Field(ge=1, le=60)]
Seconds = Annotated[float, Field(ge=0.1, le=86400 * 20, allow_inf_nan=False)]  # haproxy's timers end at 2^31 ms


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


class VrrpTable(Table):
    """VRRP between the nodes, by keepalived."""

    network: str = Field(description="Network for adverts and for SSH.")
    router_id: int = Field(ge=1, le=255, description="Virtual router ID; unique on its network.")
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
    notify: LocalPath | None = Field(
        None,
        description="Script, relative to hosts.toml, that is put on the nodes. keepalived calls it as root at each "
        "change of state, with INSTANCE, its name, the state and the priority.",
    )
    track_files: dict[TrackName, TrackFileTable] = Field(
        default={}, max_length=20, description="By name: files on the nodes that affect the VRRP priority."
    )
    track_scripts: dict[TrackName, TrackScriptTable] = Field(
        default={}, max_length=20, description="By name: scripts that affect the VRRP priority."
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
    return value if isinstance(value, dict) else ServerTable.model_construct(address=_server(value))


ServerEntry = Annotated[ServerTable, BeforeValidator(_server_table, json_schema_input_type=_SERVER | ServerTable)]


class FrontendTable(Table):
    """A port that is open on VIPs, and the servers behind it."""

    port: Port = Field(description="TCP port on the VIPs.")
    networks: NetworkNames = Field((), description="Networks on whose VIPs it listens: a name or a list; all if unset.")
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
    check_ca_file: FilePath | None = Field(
        None, description="CA that must have signed a server's certificate (PEM); relative to hosts.toml. For https."
    )
    check_host: DnsName | None = Field(
        None, description="Name that the https check sends (SNI and Host), and that the certificate must have."
    )
    interval: Seconds = Field(10.0, description="Seconds between checks of a server.")
    fast_interval: Seconds = Field(
        1.0, description="The same while a server is down, or its state is changing or unknown."
    )
    rise: Count = Field(3, description="Successful checks until a server is UP.")
    fall: Count = Field(2, description="Failed checks until it is DOWN.")
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
}
BELOW: dict[tuple[str, str], type[Table]] = {  # tables with a name of their own, below those
    ("packages", "repositories"): RepositoryTable,
    ("vrrp", "track_files"): TrackFileTable,
    ("vrrp", "track_scripts"): TrackScriptTable,
}
NAMED: dict[str, type[Table]] = {"networks": NetworkTable, "nodes": NodeTable, "frontends": FrontendTable}
SECTIONS = (*SINGLE, *NAMED)
