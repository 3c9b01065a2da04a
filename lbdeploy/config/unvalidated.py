"""The nodes of an earlier hosts.toml, even of one that this version of lbdeploy can't read as a whole any more."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any


def members(text: str) -> dict[str, str]:
    """The name of each node by its address on the VRRP network, as far as these can be read."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}
    nodes, vrrp = data.get("nodes"), data.get("vrrp")
    if not isinstance(nodes, dict) or not isinstance(vrrp, dict):
        return {}
    found = {name: each.get(str(vrrp.get("network"))) for name, each in nodes.items() if isinstance(each, dict)}
    return {address: name for name, text in found.items() if (address := _address(text))}


def _address(text: object) -> str:
    try:
        return str(ip_address(text)) if isinstance(text, str) else ""
    except ValueError:
        return ""


def node_names(path: Path) -> list[str]:
    """The names of the nodes, in the order of the file; none where the file can't be read or parsed."""
    return list(_table(_read(path), "nodes"))


def server_names(path: Path) -> list[str]:
    """The names of the servers behind any frontend."""
    frontends = _table(_read(path), "frontends")
    return list(dict.fromkeys(server for name in frontends for server in _table(_table(frontends, name), "servers")))


def network_names(path: Path) -> list[str]:
    """The names of the networks."""
    return list(_table(_read(path), "networks"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _table(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}
