"""A node that comes new, or was reinstalled, takes over which servers are drained. Pure.

What other nodes say is data: it counts only for nodes without a record of their own, only where all others agree, and
only for servers of hosts.toml; and no frontend loses all of its servers by it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lbdeploy.config.model import Cluster
from lbdeploy.node.drains import Drain, agreed
from lbdeploy.node.resources import ServerState
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.server_state import ID
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.survey import Survey


def inheriting(wanted: Wanted, survey: Survey) -> tuple[Wanted, Survey]:
    """What is wanted, with the drains for nodes that have no record; and the survey with its plans made anew."""
    new = [name for name in wanted.scope if name in survey.seen and not _has_record(survey, name)]
    drains = _agreed(survey)
    if not new or not drains:
        return wanted, survey
    resources = {name: _with(wanted.resources[name], drains) for name in new}
    wanted = replace(wanted, resources={**wanted.resources, **resources})
    return wanted, replace(survey, plans={name: wanted.plan(each) for name, each in survey.seen.items()})


def _has_record(survey: Survey, name: str) -> bool:
    return bool(survey.seen[name].states[ID].kind == "file")


def _agreed(survey: Survey) -> tuple[Drain, ...]:
    """What all nodes that have a record agree on."""
    others = [each.drains for name, each in survey.seen.items() if _has_record(survey, name)]
    return agreed(others, _used(survey.cluster))


def _used(cluster: Cluster) -> dict[str, list[str]]:
    """The servers of each frontend that get connections."""
    return {each.name: [server.name for server in each.servers if server.weight != 0] for each in cluster.frontends}


def _with(resources: Any, drains: tuple[Drain, ...]) -> list[Resource[Any]]:
    return [replace(each, inherited=drains) if isinstance(each, ServerState) else each for each in resources]
