"""The nodes of an earlier hosts.toml, even of one that this version of lbdeploy can't read as a whole any more."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from typing import Any


def members(text: str) -> dict[str, str]:
    """The name of each node by its address on the VRRP network, as far as these can be read."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    nodes, vrrp = data.get("nodes"), data.get("vrrp")
    if not isinstance(nodes, dict) or not isinstance(vrrp, dict):
        return {}
    found = {name: each.get(vrrp.get("network")) for name, each in nodes.items() if isinstance(each, dict)}
    return {address: name for name, text in found.items() if (address := _address(text))}


def _address(text: object) -> str:
    try:
        return str(ip_address(text)) if isinstance(text, str) else ""
    except ValueError:
        return ""
