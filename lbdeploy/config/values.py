"""The types of values in hosts.toml: each admits only what can't be read as a directive, an option or a command.

So nothing has to be escaped later. Each type has its own error message, with an example, and its JSON Schema.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_interface
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lbdeploy.config.model import Address, Interface, Subnet


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
        raise _refused("address", "{value} is not an IP address", text) from None


def _refused(kind: str, words: str, text: str) -> PydanticCustomError:
    """The error, with what was meant where that can be read."""
    from lbdeploy.config.mistakes.addresses import remedy

    return PydanticCustomError(kind, words, {"value": repr(text), "fix": remedy(kind, text)})


def _vip(value: object) -> Interface:
    text = _text(value, "a VIP", "192.168.0.10/24")
    words = "{value} is not a VIP"
    try:
        if "/" in _no_scope(text):
            return ip_interface(text)
        ip_address(text)
        words = "{value} has no prefix length"
    except ValueError:
        pass
    raise _refused("vip", words, text)


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


def server_address(value: object) -> tuple[Address, int | None]:
    """A server's address, and its port where one is given. Raises PydanticCustomError."""
    text = _text(value, "a server", "192.168.1.21:6443")
    try:
        return split_server(text)
    except ValueError:
        raise _refused("server", "{value} is not a server", text) from None


def _list(value: object) -> list[object]:
    """A value that may be written as a list, or on its own if there is only one."""
    if value == []:
        raise PydanticCustomError("empty", "is empty", {"fix": "name at least one, or leave the key out"})
    return value if isinstance(value, list) else [value]


def _names(value: object) -> tuple[str, ...]:
    return tuple(_text(each, "a network's name", "external") for each in _list(value))


def _groups(value: object) -> tuple[str, ...]:
    return tuple(_text(each, "a group's name", "ingress") for each in _list(value))


def _addresses(value: object) -> tuple[Address, ...]:
    return tuple(_address(each) for each in _list(value))


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
    """Text whose pattern is only stated in the JSON Schema; nothing is refused here because of it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = f"^(?:{pattern})$"

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "pattern": self.pattern}


class Plain(Like):
    """Text that is refused unless the whole of it matches the pattern."""

    def __init__(self, pattern: str, what: str, example: str) -> None:
        super().__init__(pattern)
        self._hint = {"what": what, "fix": f'write one like "{example}"'}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if re.fullmatch(self.pattern, value):
            return value
        raise PydanticCustomError("plain", "{value} is not {what}", {"value": repr(value), **self._hint})


_V4 = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_V6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
_IP = Annotated[str, Like(f"{_V4}|{_V6}")]
_VIP = Annotated[str, Like(f"(?:{_V4}|{_V6})/[0-9.]+")]
_SUBNET = Annotated[str, Like(f"(?:{_V4}|{_V6})(?:/[0-9.]+)?")]
SERVER = Annotated[str, Like(rf"{_V4}(?::[0-9]+)?|{_V6}|\[(?:{_V4}|{_V6})\]:[0-9]+")]

Name = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", "a plain name", "lb-1")]
IfName = Annotated[str, Plain(rf"(?!{_V4}$)[A-Za-z0-9][A-Za-z0-9_.-]{{0,14}}", "an interface name", "ens33")]
Login = Annotated[str, Plain(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "a login name", "ops")]
Host = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_.:%-]{0,252}[A-Za-z0-9])?", "a host name", "lb1.example.org")]
Jump = Annotated[str, Plain(r"[A-Za-z0-9_][A-Za-z0-9_.@:,\[\]-]{0,254}", "a jump host", "ops@bastion:22")]
FilePath = Annotated[str, Plain(r"[^\x00-\x1f\x7f]{1,4095}", "a path", "~/.ssh/id_ed25519")]
TrackedPath = Annotated[
    str,
    # Folders that always exist: where the file's is missing, keepalived 2.3.3 ends (measured: a segmentation fault).
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
OwnSections = Annotated[
    str,
    Plain(
        r"([A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}/){0,9}[A-Za-z0-9_*][A-Za-z0-9_.+*-]{0,99}",
        "a file below the folder of hosts.toml, or a pattern with *",
        "haproxy.d/*.cfg",
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
ServerAddress = Annotated[tuple[Address, int | None], BeforeValidator(server_address, json_schema_input_type=SERVER)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_addresses, json_schema_input_type=_IP | list[_IP])]
GroupName = Annotated[str, Plain(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?", "a plain name", "ingress")]
GroupNames = Annotated[tuple[str, ...], BeforeValidator(_groups, json_schema_input_type=str | list[str])]
NetworkNames = Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | list[str])]
Subnets = Annotated[tuple[Subnet, ...], BeforeValidator(_subnets, json_schema_input_type=_SUBNET | list[_SUBNET])]
UrlPath = Annotated[str, Plain(r"/[A-Za-z0-9/_.~%?=&-]{0,255}", "a path", "/readyz")]
DnsName = Annotated[
    str, Plain(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "a DNS name", "kubernetes")
]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=100)]
HttpStatus = Annotated[int, Field(ge=100, le=599)]
Connections = Annotated[int, Field(ge=1, le=10_000_000)]
WholeSeconds = Annotated[Annotated[int, Field(ge=1, le=60)], BeforeValidator(_whole_seconds)]
Seconds = Annotated[float, Field(ge=0.1, le=86400 * 20, allow_inf_nan=False)]  # haproxy's timers end at 2^31 ms
