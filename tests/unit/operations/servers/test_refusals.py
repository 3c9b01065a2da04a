"""What a drain does not begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from builders import server

from lbdeploy.config.model import Cluster
from lbdeploy.errors import RemoteError
from lbdeploy.node.parsers import ServerStat
from lbdeploy.node.resources.drains import Drain, render
from lbdeploy.operations.servers.names import members
from lbdeploy.operations.servers.node_scripts import NodeServers
from lbdeploy.operations.servers.refusals import refuse, undecided

UP = ("master1", "master2", "master3")


def view(seed: Cluster, name: str = "lb1", up: Sequence[str] = UP, **changes: Any) -> NodeServers:
    stats: tuple[ServerStat, ...] = tuple(
        server("k8s-api", each, "UP" if each in up else "DOWN", "L4OK" if each in up else "L4CON") for each in UP
    )
    healthy = NodeServers(seed.node(name), "", answers=True, loads=True, stats=stats, open={})
    return replace(healthy, **changes)


def refused(
    seed: Cluster, *views: NodeServers, what: str = "master1", state: Any = "drain", force: bool = False
) -> str:
    try:
        refuse(seed, views, members(seed, what), state, force_last=force)
    except RemoteError as error:
        return f"{error.message}; {error.state}".removesuffix("; nothing was changed")
    return ""


def test_one_of_several_is_drained(seed: Cluster) -> None:
    """Another one is up on every node."""
    assert refused(seed, view(seed), view(seed, "lb2", up=("master1", "master2"))) == ""


def test_the_last_one_that_is_up_is_refused(seed: Cluster) -> None:
    """On any node, with how the others are; not where it is told to be drained, and never for its return."""
    record = render([Drain("k8s-api", "master2", 1, "ann")], {("k8s-api", "master2"): 6443})
    last = view(seed, "lb2", up=("master1",), record=record)
    message = "master1 is the last server of k8s-api that is up: master2 is drained, master3 is DOWN"
    assert refused(seed, view(seed), last) == message
    assert refused(seed, view(seed), last, force=True) == ""
    assert refused(seed, view(seed), last, state="ready") == ""


def recorded(*names: str) -> str:
    return render([Drain("k8s-api", name, 1, "ann") for name in names], {("k8s-api", name): 6443 for name in UP})


def test_one_that_is_down_can_not_be_missed(seed: Cluster) -> None:
    """Whether or not another one is up, as long as another one may come up."""
    assert refused(seed, view(seed, up=("master2",)), what="master3") == ""
    assert refused(seed, view(seed, up=()), what="master3") == ""
    assert refused(seed, view(seed, up=(), record=recorded("master1")), what="master3") == ""


def test_the_last_one_that_is_not_drained_is_refused(seed: Cluster) -> None:
    """Though it is down, or haproxy does not run: it would not come back."""
    down = view(seed, "lb2", up=(), record=recorded("master1", "master2"))
    message = "master3 is the last server of k8s-api that is not drained: master1 is drained, master2 is drained"
    assert refused(seed, view(seed), down, what="master3") == message
    assert refused(seed, replace(down, stats=(), answers=False), what="master3") == message
    assert refused(seed, down, what="master3", force=True) == ""
    assert refused(seed, down, what="master3", state="ready") == ""


def test_drained_twice_is_drained_once(seed: Cluster) -> None:
    """Also the last one, with --force-last before: nothing is taken any more."""
    gone = view(seed, stats=(), answers=False, record=recorded(*UP))
    assert refused(seed, gone, what="master3") == ""


def test_one_that_gets_no_connections_by_its_weight_is_no_other(seed: Cluster) -> None:
    """Of weight 0: neither can it be missed, nor does it take anything over."""
    servers = tuple(replace(each, weight=0 if each.name == "master1" else None) for each in seed.frontends[0].servers)
    weighed = replace(seed, frontends=(replace(seed.frontends[0], servers=servers),))
    last = view(weighed, up=(), record=recorded("master2"))
    message = "master3 is the last server of k8s-api that is not drained: master1 is DOWN, master2 is drained"
    assert refused(weighed, last, what="master3") == message
    assert refused(weighed, last, what="master1") == ""


def test_a_haproxy_that_would_forget_it_is_refused(seed: Cluster) -> None:
    """One of an earlier lbdeploy, or of a template of one's own, does not read the record."""
    assert "a reload would end the drain" in refused(seed, view(seed, loads=False))


def test_a_haproxy_that_does_not_know_the_server_is_refused(seed: Cluster) -> None:
    """hosts.toml has it, and was not applied yet. A haproxy that does not run knows none, and is no hindrance."""
    assert refused(seed, view(seed, stats=view(seed).stats[1:])) == "its haproxy has no server k8s-api/master1"
    assert refused(seed, view(seed, stats=(), answers=False)) == ""


def test_all_nodes_are_named(seed: Cluster) -> None:
    """Each that does not do it."""
    message = refused(seed, view(seed, loads=False), view(seed, "lb2", loads=False))
    assert "\nlb2: its haproxy.cfg does not" in message


@pytest.mark.parametrize("frontend", [None, "k8s-api"])
def test_members(seed: Cluster, frontend: str | None) -> None:
    """A server, behind all frontends that have it or behind one."""
    assert [(f.name, s.name) for f, s in members(seed, "master2", frontend)] == [("k8s-api", "master2")]


@pytest.mark.parametrize(
    ("stats", "waits"),
    [
        ({"master1": ("UP", "L4OK"), "master2": ("UP 1/2", "INI"), "master3": ("UP 1/2", "INI")}, True),
        ({"master1": ("UP 1/2", "INI"), "master2": ("UP 1/2", "INI"), "master3": ("UP 1/2", "INI")}, True),
        ({"master1": ("UP", "L4OK"), "master2": ("DOWN 1/2", "L4OK"), "master3": ("DOWN", "L4CON")}, True),
        ({"master1": ("UP", "L4OK"), "master2": ("UP", "L4OK"), "master3": ("UP 1/2", "INI")}, False),
        ({"master1": ("UP", "L4OK"), "master2": ("DOWN", "L4CON"), "master3": ("DOWN", "L4CON")}, False),
        ({"master1": ("DOWN", "L4CON"), "master2": ("UP 1/2", "INI"), "master3": ("UP 1/2", "INI")}, False),
    ],
)
def test_first_checks_are_waited_for(seed: Cluster, stats: dict[str, tuple[str, str]], waits: bool) -> None:
    """Where they decide whether another server is up, and the server that is to be drained can be missed or not."""
    seen = view(seed, stats=tuple(server("k8s-api", name, *each) for name, each in stats.items()))
    assert undecided([view(seed), seen], members(seed, "master1")) is waits


def test_one_that_is_drained_is_not_waited_for(seed: Cluster) -> None:
    """It gets no connections, whatever its checks say."""
    record = render([Drain("k8s-api", name, 1, "ann") for name in UP[1:]], {("k8s-api", name): 6443 for name in UP})
    initial = tuple(server("k8s-api", name, "UP 1/2", "INI") for name in UP)
    assert not undecided([view(seed, stats=initial, record=record)], members(seed, "master1"))
