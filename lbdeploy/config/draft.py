"""A hosts.toml that is being put together: from flags, or answer by answer. Pure.

A draft is the file's tables, as tomllib would read them; it is validated by the same checks as a file that is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lbdeploy.config.keys import near
from lbdeploy.config.model import Interface
from lbdeploy.errors import UsageError

Draft = dict[str, Any]
FRONTEND = "k8s-api"
ROUTER_ID = 101


def words(text: str) -> list[str]:
    """The parts of an answer, separated by spaces or commas."""
    return text.replace(",", " ").split()


def named(answer: Sequence[str], prefix: str) -> dict[str, str]:
    """NAME=VALUE words by name; a bare address gets a name of `prefix` and a number. Raises UsageError."""
    found: dict[str, str] = {}
    for number, word in enumerate(answer, 1):
        name, equals, value = word.partition("=")
        if not equals:
            name, value = (f"{prefix}{number}" if _is_address(word) else word), word
        if not value:
            raise UsageError(f"{word} has nothing after the =", fix=f"write NAME=VALUE, like {prefix}1=192.168.1.11")
        if name in found:
            raise UsageError(f"{name} is named twice", fix="give each its own name")
        found[name] = value
    return found


def _is_address(text: str) -> bool:
    """Whether it is no name: it is an address, also with a port, or with more around it that its checks will tell."""
    from lbdeploy.config.mistakes.addresses import meant  # imported only for a word that has no name

    return meant(text) is not None


def pairs(answer: Sequence[str], example: str) -> list[tuple[str, str]]:
    """NAME=VALUE words as pairs; a name may occur more than once. Raises UsageError for any other word."""
    split = [word.partition("=") for word in answer]
    for name, equals, value in split:
        if not (name and equals and value):
            raise UsageError(f"{name}{equals}{value} is not NAME=VALUE", fix=f"write it like {example}")
    return [(name, value) for name, _, value in split]


def distinct(found: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Pairs by name. Raises UsageError for a name that occurs twice."""
    for name, _ in found:
        if [each for each, _ in found].count(name) > 1:
            raise UsageError(f"{name} is named twice", fix="give each its own name")
    return dict(found)


def priorities(names: Sequence[str]) -> dict[str, int]:
    """200 for the first, falling to 100 for the last: room for others between them."""
    steps = max(len(names) - 1, 1)
    return {name: 200 - 100 * index // steps for index, name in enumerate(names)}


def set_nodes(draft: Draft, hosts: dict[str, str]) -> None:
    """The nodes: `hosts` has what SSH connects to, by name."""
    ranks = priorities(list(hosts))
    draft["nodes"] = {name: {"priority": ranks[name], "host": host} for name, host in hosts.items()}


def set_addresses(draft: Draft, node: str, addresses: Sequence[str]) -> None:
    """A node's addresses, in the order of the networks; they come before its other keys. Raises UsageError."""
    networks = list(draft.get("networks", {}))
    if len(addresses) != len(networks):
        fix = f"write {len(networks)}, in this order: {', '.join(networks)}"
        raise UsageError(f"{node} needs one address for each network, but got {len(addresses)}", fix=fix)
    others = {key: value for key, value in draft["nodes"].get(node, {}).items() if key not in networks}
    draft["nodes"][node] = dict(zip(networks, addresses, strict=True)) | others


def add_vips(draft: Draft, vips: Iterable[tuple[str, str]]) -> None:
    """VIPs by network. One is written as a string, several as a list. Raises UsageError for an unknown network."""
    found: dict[str, list[str]] = {}
    for network, vip in vips:
        if network not in draft["networks"]:
            raise UsageError(f"there is no network {network} for VIP {vip}", fix=near(network, draft["networks"]))
        found.setdefault(network, []).append(vip)
    for network, values in found.items():
        draft["networks"][network]["vip"] = values[0] if len(values) == 1 else values


def with_prefix(vip: str, like: Interface | None) -> str:
    """The VIP with its network's prefix length, where it was written without one and the network is known."""
    return vip if "/" in vip or like is None else f"{vip}/{like.network.prefixlen}"


def set_vrrp(draft: Draft, network: str, router_id: int) -> None:
    """VRRP, with the keys that one may want to change; the others are left at their defaults."""
    draft["vrrp"] = {"network": network, "router_id": router_id, "advert_interval": 1, "preempt_delay": 30}


def set_servers(draft: Draft, port: int, servers: dict[str, str]) -> None:
    """The one frontend that a new file has."""
    draft["frontends"] = {FRONTEND: {"port": port, "balance": "roundrobin", "check": "tcp", "servers": servers}}


def set_check(draft: Draft, check: str, status: Sequence[int]) -> None:
    """How the servers are checked; `status` are the answers that mean ready, where they are not 200 alone."""
    table = draft["frontends"][FRONTEND]
    servers = table.pop("servers")
    ready = {"check_status": list(status)} if list(status) != [200] else {}
    draft["frontends"][FRONTEND] = table | {"check": check} | ready | {"servers": servers}


def finished(draft: Draft) -> Draft:
    """The draft as it is written: without `host` where that is the address on the VRRP network."""
    network = draft["vrrp"]["network"]
    nodes = {
        name: {key: value for key, value in node.items() if key != "host" or value != node.get(network)}
        for name, node in draft["nodes"].items()
    }
    return draft | {"nodes": nodes}
