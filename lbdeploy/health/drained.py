"""Servers that were drained with `lbdeploy drain`: a warning each, so that none is forgotten. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Frontend, Server
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.drains import Drain


def drained(state: ClusterState) -> Iterator[Finding]:
    """Each server that is drained: who did that, since when, and whether every node goes by it."""
    for frontend, server in state.cluster.servers():
        records = [(each, each.drain(frontend.name, server.name)) for each in state.observations]
        found = [(each, record) for each, record in records if record]
        if found:
            others = [each.node.name for each, record in records if not record]
            behind = [f.name for f, each in state.cluster.servers() if each.name == server.name]
            yield _drained(frontend, server, found, others, alone=len(behind) == 1)


def _drained(
    frontend: Frontend,
    server: Server,
    found: Sequence[tuple[Observation, Drain]],
    others: Sequence[str],
    *,
    alone: bool,
) -> Finding:
    """What is to be said of a server that is drained on the nodes `found`, and not on the `others`.

    `alone`: no other frontend has it; behind another one, it may be in use, or drained for another reason.
    """
    name, record = f"{frontend.name}/{server.name}", found[0][1]
    detail = f"{name} is drained {record.told}"
    words = (server.name, *(() if alone else ("--frontend", frontend.name)))
    again, back = typed("drain", *words), typed("undrain", *words)
    if others:
        detail += f", but not on {' and '.join(others)}, where it gets connections"
        return Finding.warning(
            None, "drained", detail, typed("drain", *words, after=f"; or, to end it: {back}"), subject=name
        )
    if used := [each.node.name for each, _ in found if uses(each, frontend.name, server.name)]:
        detail += f", but haproxy on {' and '.join(used)} gives it new connections"
        return Finding.warning(None, "drained", detail, again, subject=name)
    return Finding.warning(
        None,
        "drained",
        f"{detail}: it gets no new connections",
        typed("undrain", *words, before="when its work is done: "),
        subject=name,
    )


def uses(seen: Observation, frontend: str, server: str) -> bool:
    """Whether a node's haproxy gives a server new connections."""
    return any((each.frontend, each.server) == (frontend, server) and each.up for each in seen.servers)
