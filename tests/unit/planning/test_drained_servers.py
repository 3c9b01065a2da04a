"""What a node that comes new takes over of the others' drains, and what a change of hosts.toml would leave drained."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from builders import observe, server

from lbdeploy.config.model import Cluster
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import ServerState
from lbdeploy.node.resources.drains import Drain, render
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.server_state import ID
from lbdeploy.planning.desired import desired
from lbdeploy.planning.drained_servers import inheriting, left_drained

ALL = ("master1", "master2", "master3")
DRAIN = Drain("k8s-api", "master1", 5, "ann")


def inherited(seed: Cluster, *seen: Observation) -> list[tuple[Drain, ...]]:
    found = {each.node.name: each for each in seen}
    resources = inheriting(seed, found, {name: desired(seed, each.node) for name, each in found.items()})
    return [each.inherited for name in found for each in resources[name] if isinstance(each, ServerState)]


def node(seed: Cluster, name: str, *drains: Drain, new: bool = False) -> Observation:
    ports = {(frontend.name, each.name): each.port for frontend, each in seed.servers()}
    record = FileState("file", "600", "root:root", 1.0, render(drains, ports))
    return observe(seed, seed.node(name), states={ID: FileState("missing") if new else record})


def test_a_node_without_a_record_takes_over_what_the_others_have(seed: Cluster) -> None:
    """One that has a record of its own is given nothing."""
    assert inherited(seed, node(seed, "lb1", DRAIN), node(seed, "lb2", new=True)) == [(), (DRAIN,)]
    assert inherited(seed, node(seed, "lb1", DRAIN), node(seed, "lb2")) == [(), ()]


def test_where_all_are_new_there_is_nothing_to_take_over(seed: Cluster) -> None:
    """As at the first `up`."""
    assert inherited(seed, node(seed, "lb1", new=True), node(seed, "lb2", new=True)) == [(), ()]


def test_a_node_that_says_all_are_drained_is_not_believed(seed: Cluster) -> None:
    """The new one would serve nobody."""
    everyone = [Drain(frontend.name, each.name, 5, "mallory") for frontend, each in seed.servers()]
    assert inherited(seed, node(seed, "lb1", *everyone), node(seed, "lb2", new=True)) == [(), ()]


def found(seed: Cluster, drained: Collection[str], status: str = "UP", *, now: Collection[str] = ALL) -> list[str]:
    """For a hosts.toml that has lost master3; the node's haproxy has `now`, master3 in this state."""
    record = render([Drain("k8s-api", name, 1, "ann") for name in drained], {("k8s-api", name): 6443 for name in ALL})
    frontend = seed.frontends[0]
    fewer = replace(seed, frontends=(replace(frontend, servers=frontend.servers[:2]),))
    node = observe(
        fewer,
        fewer.nodes[0],
        states={ID: FileState("file", "600", "root:root", 1.0, record)},
        servers=tuple(server("k8s-api", name, status if name == "master3" else "MAINT") for name in now),
    )
    return [f"{each.detail}; {each.fix}" for each in left_drained(fewer, node)]


def test_the_last_one_that_is_not_drained_stays(seed: Cluster) -> None:
    """Whether it is up or not."""
    told = ["k8s-api would lose master3, and its other servers are drained"]
    told[0] += "; first: lbdeploy undrain master1, or another one of them"
    assert found(seed, ALL[:2]) == found(seed, ALL[:2], "DOWN") == told


def test_where_one_is_left_another_one_may_go(seed: Cluster) -> None:
    """It takes over, or will once it is up."""
    assert found(seed, ["master1"]) == []


def test_a_frontend_that_has_none_anyway_loses_nothing(seed: Cluster) -> None:
    """All of them were drained with --force-last, or haproxy had no other one before."""
    assert found(seed, ALL) == []
    assert found(seed, ALL[:2], now=ALL[:2]) == []
    assert found(seed, ALL[:2], "DRAIN") == []
