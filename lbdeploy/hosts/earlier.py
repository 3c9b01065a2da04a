"""What an earlier hosts.toml said of its nodes, also where this lbdeploy can't read all of it any more."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from typing import Any


def members(text: str) -> dict[str, str]:
    """By address, the name of each node: where VRRP reached it, as far as that can be read."""
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
