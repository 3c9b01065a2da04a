"""A node that comes new, or was reinstalled, takes over which servers are drained. Pure.

What other nodes say is data: it counts only for nodes without a record of their own, only where all others agree, and
only for servers of hosts.toml; and no frontend loses all of its servers by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lbdeploy.config.model import Cluster
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import ServerState
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.drains import Drain, agreed
from lbdeploy.node.resources.server_state import ID

Resources = Mapping[str, Sequence[Resource[Any]]]  # by the node's name


def inheriting(cluster: Cluster, seen: Mapping[str, Observation], resources: Resources) -> Resources:
    """The same resources, with the drains for nodes that have no record."""
    drains = _agreed(cluster, seen)
    new = [name for name, each in seen.items() if drains and not _has_record(each)]
    return {**resources, **{name: _with(resources[name], drains) for name in new}}


def _has_record(seen: Observation) -> bool:
    state = seen.states.get(ID)
    return state is not None and state.kind == "file"


def _agreed(cluster: Cluster, seen: Mapping[str, Observation]) -> tuple[Drain, ...]:
    """What all nodes that have a record agree on."""
    used = {each.name: [server.name for server in each.servers if server.weight != 0] for each in cluster.frontends}
    return agreed([each.drains for each in seen.values() if _has_record(each)], used)


def _with(resources: Sequence[Resource[Any]], drains: tuple[Drain, ...]) -> list[Resource[Any]]:
    return [replace(each, inherited=drains) if isinstance(each, ServerState) else each for each in resources]
