"""The servers of frontends, as haproxy says them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import observe, plans, server

from lbdeploy.config.model import Cluster
from lbdeploy.health.finding import Finding
from lbdeploy.health.servers import lost_servers
from lbdeploy.health.verdict import judge
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import ServerStat


def findings(rich: Cluster, **changes: object) -> list[Finding]:
    seen = [replace(observe(rich, node, holds=node is rich.preferred), **changes) for node in rich.nodes]  # type: ignore[arg-type]
    return [each for each in judge(rich, seen, plans(rich, *seen)).findings if not each.ok]


def seen_as(rich: Cluster, **status: str) -> dict[str, object]:
    """haproxy's servers, all of them up but those of the API that are named."""
    servers = (server(f.name, s.name, status.get(s.name, "UP") if f.name == "api" else "UP") for f, s in rich.servers())
    return {"servers": tuple(servers)}


@pytest.mark.parametrize("status", ["UP", "DRAIN"])
def test_who_weighs_nothing_is_no_fault(rich: Cluster, status: str) -> None:
    """A server of weight 0 is as it should be, whatever haproxy calls that, and so is a backup that is not used."""
    assert findings(rich, **seen_as(rich, m3=status)) == []
    was, now = (replace(observe(rich, rich.preferred), **seen_as(rich, m3=each)) for each in ("UP", status))  # type: ignore[arg-type]
    assert list(lost_servers(rich, was, now, [])) == []


def test_backups_that_serve_alone_are_a_warning(rich: Cluster) -> None:
    """Clients are served, so it is no failure; a server of weight 0 that is up is none that serves."""
    found = findings(rich, **seen_as(rich, m1="DOWN", m2="DOWN"))
    assert {(each.check, each.is_warning) for each in found} == {("backup", True), ("server", True)}
    assert {each.detail for each in found if each.check == "backup"} == {
        "api is served by its backup servers only: none of the others is up"
    }
    found = findings(rich, **seen_as(rich, m1="DOWN", m2="DOWN", spare1="DOWN", spare2="DOWN"))
    assert {each.detail for each in found if each.is_error} == {"api has 0 of 4 servers up"}


def lb1(seed: Cluster, *, holds: bool = True, **changes: Any) -> Observation:
    return observe(seed, seed.node("lb1"), holds=holds, **changes)


def lb2(seed: Cluster, *, holds: bool = False, **changes: Any) -> Observation:
    return observe(seed, seed.node("lb2"), holds=holds, **changes)


UP, DOWN = server("k8s-api", "master1"), server("k8s-api", "master1", "DOWN", "L4CON")


@pytest.mark.parametrize(
    ("before", "after", "elsewhere", "lost"),
    [
        (UP, DOWN, UP, True),
        (UP, DOWN, None, True),
        (UP, None, UP, True),
        (UP, DOWN, DOWN, False),
        (UP, UP, DOWN, False),
        (DOWN, DOWN, UP, False),
        (None, DOWN, UP, False),
        (UP, server("k8s-api", "master1", "UP 1/2", "INI"), UP, True),
    ],
)
def test_a_server_that_only_the_changed_node_lost_is_its_matter(
    seed: Cluster, before: ServerStat | None, after: ServerStat | None, elsewhere: ServerStat | None, lost: bool
) -> None:
    """Where another node lost it, too, the server is the cause, and not the change."""
    was, now = (lb2(seed, servers=(each,) if each else ()) for each in (before, after))
    other = lb1(seed, servers=(elsewhere,) if elsewhere else ())
    found = list(lost_servers(seed, was, now, [other]))
    assert bool(found) is lost
    for each in found:
        assert (each.node, each.check, each.is_error) == ("lb2", "server", True)
        assert each.detail.startswith("k8s-api/master1 was up before the change, and no longer is: ")


def test_a_node_whose_haproxy_is_silent_says_nothing_of_the_servers(seed: Cluster) -> None:
    """Only a haproxy that answers can have lost a server."""
    silent = lb1(seed, servers=(DOWN,), haproxy_answers=False)
    was, now = lb2(seed, servers=(UP,)), lb2(seed, servers=(DOWN,))
    assert len(list(lost_servers(seed, was, now, [silent]))) == 1
