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

from lbdeploy.model import Address, Interface


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
_SERVER = Annotated[str, Like(rf"{_V4}(?::[0-9]+)?|{_V6}|\[(?:{_V4}|{_V6})\]:[0-9]+")]

Name = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", "a plain name", "lb-1")]
IfName = Annotated[str, Plain(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", "an interface name", "ens33")]
Login = Annotated[str, Plain(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "a login name", "ops")]
Host = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_.:%-]{0,252}[A-Za-z0-9])?", "a host name", "lb1.example.org")]
Jump = Annotated[str, Plain(r"[A-Za-z0-9_][A-Za-z0-9_.@:,\[\]-]{0,254}", "a jump host", "ops@bastion:22")]
FilePath = Annotated[str, Plain(r"[^\x00-\x1f\x7f]{1,4095}", "a path", "~/.ssh/id_ed25519")]
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
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=100)]
WholeSeconds = Annotated[int, BeforeValidator(_whole_seconds), Field(ge=1, le=60)]
Seconds = Annotated[float, Field(ge=0.1, le=86400 * 20, allow_inf_nan=False)]  # haproxy's timers end at 2^31 ms


class Table(BaseModel):
    """A table of hosts.toml: unknown keys are errors, and a number is not text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class ClusterTable(Table):
    """What the load balancers are of."""

    name: Name = Field(description="Name of the cluster; names the VRRP instance.")
    firewall: Literal["none", "nftables"] = Field(
        "none", description='"nftables": the nodes let in SSH, VRRP of their peers and the frontends, and no more.'
    )
    firewall_allow: list[Port] = Field([], max_length=100, description="TCP ports to let in besides, from anywhere.")


class SshTable(Table):
    """How to log in. What is not set comes from the operator's SSH configuration, as `ssh -G` resolves it."""

    user: Login | None = Field(None, description="Login on the nodes: root, or a user with sudo.")
    port: Port | None = Field(None, description="Port of sshd.")
    identity_file: FilePath | None = Field(None, description="Private key; relative to hosts.toml.")
    known_hosts_file: FilePath | None = Field(None, description="Known host keys; relative to hosts.toml.")
    jump: Jump | None = Field(None, description="Jump host, as in `ssh -J`. Its key is verified, too.")
    connect_timeout: Seconds | None = Field(
        None, description="Seconds until an unanswered connection is given up; 10, if ssh has no ConnectTimeout either."
    )


class NetworkTable(Table):
    """A network that every node is on."""

    interface: IfName = Field(description="Interface on the nodes; a node may override it.")
    vip: Vips = Field((), description="VIP or VIPs that float on this network, with prefix length.")


class NodeTable(Table):
    """A load balancer host. Besides these keys, one for each network: the node's address there."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, IpAddress]

    priority: int = Field(ge=1, le=254, description="VRRP priority. The highest is the preferred MASTER.")
    host: Host | None = Field(None, description="What SSH connects to, instead of the address on the VRRP network.")
    interfaces: dict[str, IfName] = Field(default={}, description="Interface names that differ, by network.")


class VrrpTable(Table):
    """VRRP, as keepalived speaks it between the nodes."""

    network: str = Field(description="Network that adverts travel on, and where SSH connects.")
    router_id: int = Field(ge=1, le=255, description="Virtual router ID; unique on its network.")
    advert_interval: float = Field(
        1.0, ge=0.1, le=40.0, description="Seconds between adverts. With 0.1, VIPs move within half a second."
    )
    preempt: bool = Field(True, description="Whether a node of higher priority takes the VIPs back when it returns.")
    preempt_delay: float = Field(30.0, ge=0, le=1000, description="Seconds that it waits before it does.")
    initial_state: Literal["auto", "MASTER"] = Field(
        "auto", description='"auto" starts every node as BACKUP, so that preempt_delay holds; "MASTER" loses the delay.'
    )
    check_interval: WholeSeconds = Field(1, description="Whole seconds between checks of haproxy on a node.")
    check_timeout: WholeSeconds = Field(2, description="Whole seconds after which an unanswered check fails.")
    check_fall: Count = Field(1, description="Failed checks until the node gives up its VIPs.")
    check_rise: Count = Field(2, description="Good checks until the node may hold VIPs again.")


class FrontendTable(Table):
    """A port that is open on every VIP, and the servers that it is balanced to."""

    port: Port = Field(description="TCP port on every VIP.")
    balance: Literal["roundrobin", "leastconn", "source"] = Field("roundrobin", description="Balancing algorithm.")
    check: Literal["tcp", "https"] = Field(
        "tcp", description='"tcp": the server accepts connections. "https": GET /readyz answers 200.'
    )
    interval: Seconds = Field(10.0, description="Seconds between checks of a server.")
    fast_interval: Seconds = Field(
        1.0, description="The same while a server is down, or its state is changing or not yet known."
    )
    rise: Count = Field(3, description="Good checks until a server is UP.")
    fall: Count = Field(2, description="Failed checks until it is DOWN.")
    connect_timeout: Seconds = Field(5.0, description="Seconds to wait for a server to accept a connection.")
    check_timeout: Seconds = Field(5.0, description="Seconds to wait for a server's answer to a check.")
    client_timeout: Seconds = Field(14400.0, description="Seconds of silence after which a client is cut off.")
    server_timeout: Seconds = Field(14400.0, description="Seconds of silence after which a server is cut off.")
    servers: dict[Name, ServerAddress] = Field(
        min_length=1, max_length=1000, description='By name: "address" or "address:port" (default: the frontend\'s).'
    )


class RepositoryTable(Table):
    """A repository that apt gets packages from, besides those that the node has."""

    uri: AptUri = Field(description="Where it is: http, https, or file for a folder of the node.")
    suite: Suite = Field(description='Suite, like "bookworm-backports"; "./" for one without suites.')
    components: list[Component] = Field([], max_length=16, description='Components; none where suite ends in "/".')
    key_file: FilePath | None = Field(
        None, description="Key that it is signed with, armored or binary; relative to hosts.toml. None: those of apt."
    )


class PackagesTable(Table):
    """Which versions of packages are installed, and where apt gets them."""

    haproxy: Version | None = Field(None, description='Version that apt keeps to, like "2.6.*"; any, if not set.')
    keepalived: Version | None = Field(None, description='The same of keepalived, like "1:2.2.7-1*".')
    socat: Version | None = Field(None, description="The same of socat.")
    apt_proxy: ProxyUrl | None = Field(None, description="Proxy that apt gets packages through, without a password.")
    repositories: dict[Name, RepositoryTable] = Field(
        {}, max_length=20, description="Repositories to get packages from, by name: [packages.repositories.NAME]."
    )


SINGLE: dict[str, type[Table]] = {
    "cluster": ClusterTable, "ssh": SshTable, "packages": PackagesTable, "vrrp": VrrpTable
}  # fmt: skip
NAMED: dict[str, type[Table]] = {"networks": NetworkTable, "nodes": NodeTable, "frontends": FrontendTable}
NESTED: dict[str, type[Table]] = {"repositories": RepositoryTable}  # tables by name in one of the single ones
SECTIONS = (*SINGLE, *NAMED)
