"""Drained servers in a run: what a node that comes new takes over, and what hosts.toml must not take away. Pure.

A node that comes new, or was reinstalled, takes over which servers are drained. What other nodes say is data: it counts
only for nodes without a record of their own, only where all others agree, and only for servers of hosts.toml; and no
frontend loses all of its servers by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.health.finding import Finding
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


def left_drained(cluster: Cluster, seen: Observation) -> Iterator[Finding]:
    """Each frontend that loses its last server that is not drained, whether that is up at the moment or not.

    One that has none already, by `drain --force-last`, loses nothing.
    """
    for frontend in cluster.frontends:
        used = [server.name for server in frontend.servers if server.weight != 0]
        drained = {each.server for each in seen.drains if each.frontend == frontend.name}
        now = {each.server for each in seen.servers if each.frontend == frontend.name and not each.drained}
        lost = sorted(now - drained - set(used))
        if lost and used and drained.issuperset(used):
            detail = f"{frontend.name} would lose {' and '.join(lost)}, and its other servers are drained"
            fix = typed("undrain", used[0], before="first: ", after=", or another one of them")
            yield Finding.failed(seen.node.name, "drained", detail, fix, subject=frontend.name)
