"""What somebody meant who wrote an address with too much around it: a port, a prefix, brackets, a scheme. Pure.

Imported only for a value that was refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from lbdeploy.config.model import Address

AROUND = re.compile(
    r"\s*(?:[a-z+]+://)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)|(?P<bare>[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*))"
    r"(?:/(?P<prefix>[0-9]{1,3}))?(?::(?P<port>[0-9]{1,5}))?/?\s*"
)


@dataclass(frozen=True, slots=True)
class Meant:
    """The address, and what else was written."""

    ip: Address
    prefix: str
    port: str

    @property
    def is_network(self) -> bool:
        """Whether it is a network's address, and so no host's."""
        return bool(self.prefix) and ip_interface(f"{self.ip}/{self.prefix}").network.network_address == self.ip


def meant(text: str) -> Meant | None:
    """What can be read with certainty, or None."""
    found = AROUND.fullmatch(text)
    if not found:
        return None
    host = found["six"] or found["bare"] or re.sub(r"(^|\.)0+(?=[0-9])", r"\1", found["four"])
    try:
        read = Meant(ip_address(host), found["prefix"] or "", found["port"] or "")
        ip_interface(f"{host}/{read.prefix or '0'}")
    except ValueError:
        return None
    return read


def remedy(kind: str, text: str) -> str:
    """What to write in place of this text, which should be an address, a VIP or a server."""
    return {"address": _address, "vip": _vip, "server": _server}[kind](text, meant(text))


def _address(_: str, found: Meant | None) -> str:
    if found and not found.is_network:
        return f'write "{found.ip}", an address with nothing around it'
    return f'write an {"IP address without a prefix length" if found else "IPv4 or IPv6 address"}, like "192.168.1.21"'


def _vip(_: str, found: Meant | None) -> str:
    if not found:
        return 'write the address with its prefix length, like "192.168.0.10/24"'
    port = "; a port is one of [frontends.NAME]" if found.port else ""
    if found.prefix:
        return f'write "{found.ip}/{found.prefix}"{port}'
    usual = 24 if found.ip.version == 4 else 64
    return f'write the address with its prefix length, like "{found.ip}/{usual}"{port}'


def _server(text: str, found: Meant | None) -> str:
    if found and (not found.port or 0 < int(found.port) < 65536):
        host = f"[{found.ip}]" if found.port and found.ip.version == 6 else str(found.ip)
        port = f":{found.port}" if found.port else ""
        return f'write "{host}{port}", with nothing else around it'
    if found or re.fullmatch(r"[0-9.]+:\w+|\[[0-9A-Fa-f:.]+\]:\w+", text):
        return "write the port as a number from 1 to 65535"
    return 'write "address" or "address:port" with an IP address: names are not resolved'
