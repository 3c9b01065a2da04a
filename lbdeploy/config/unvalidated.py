"""The nodes of an earlier hosts.toml, even of one that this version of lbdeploy can't read as a whole any more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

from lbdeploy.common import cache

LARGEST = 100_000  # characters of a file of which something is kept: a node may have any
# A key of many tables, as no hosts.toml has: tomllib takes memory by the square of their number.
_NESTED = re.compile(r"""[\w"'-]\s*+(?:\.\s*+[\w"'-]++\s*+){64}""")


@dataclass(frozen=True, slots=True)
class Deployed:
    """The cluster that a hosts.toml is of. `router_ids`: those that can be read."""

    name: str
    vips: frozenset[str]
    router_ids: frozenset[int]


def deployed(text: str) -> Deployed | None:
    """The cluster that a hosts.toml describes; None where it names none."""
    facts = _facts(text)
    if facts["name"] is None:
        return None
    return Deployed(facts["name"], frozenset(facts["vips"]), frozenset(facts["router_ids"]))


def members(text: str) -> dict[str, str]:
    """The name of each node by its address on the VRRP network, as far as these can be read."""
    return dict(_facts(text)["members"])


@lru_cache(maxsize=8)  # the nodes of a cluster usually have the same file, and several questions are asked about it
def _facts(text: str) -> dict[str, Any]:
    """What is asked of it. That is kept: as a rule the file is that of the last run, and tomllib takes 2 ms."""
    key = cache.key("deployed", text)
    kept = cache.recall(key)
    if isinstance(kept, dict):
        return kept
    data = _parsed(text)
    name, vrrp = _table(data, "cluster").get("name"), _table(data, "vrrp")
    facts = {
        "name": name if isinstance(name, str) else None,
        "vips": _vips(_table(data, "networks")),
        "router_ids": _router_ids(vrrp),
        "members": _members(_table(data, "nodes"), str(vrrp.get("network"))),
    }
    if len(text) < LARGEST:
        cache.keep(key, facts)
    return facts


def _vips(networks: dict[str, Any]) -> list[str]:
    vips = [each for network in networks for each in _texts(_table(networks, network).get("vip"))]
    return [address for each in vips if (address := _vip(each))]


def _router_ids(vrrp: dict[str, Any]) -> list[int]:
    groups = _table(vrrp, "groups")
    numbers = [each.get("router_id") for each in (vrrp, *(_table(groups, group) for group in groups))]
    return [each for each in numbers if isinstance(each, int) and 0 < each < 256]


def _members(nodes: dict[str, Any], network: str) -> dict[str, str]:
    found = {name: each.get(network) for name, each in nodes.items() if isinstance(each, dict)}
    return {address: name for name, text in found.items() if (address := _address(text))}


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _vip(text: object) -> str:
    try:
        return str(ip_interface(text).ip) if isinstance(text, str) else ""
    except ValueError:
        return ""


def _parsed(text: str) -> dict[str, Any]:
    if _NESTED.search(text):
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


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


def frontend_names(path: Path) -> list[str]:
    """The names of the frontends."""
    return list(_table(_read(path), "frontends"))


def group_names(path: Path) -> list[str]:
    """The names of the groups of VIPs."""
    return list(_table(_table(_read(path), "vrrp"), "groups"))


def network_names(path: Path) -> list[str]:
    """The names of the networks."""
    return list(_table(_read(path), "networks"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _table(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}
