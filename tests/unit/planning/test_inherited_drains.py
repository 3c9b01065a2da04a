"""What a node that comes new takes over of the others' drains."""

from __future__ import annotations

from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import ServerState
from lbdeploy.node.resources.drains import Drain, render
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.server_state import ID
from lbdeploy.planning.desired import desired
from lbdeploy.planning.inherited_drains import inheriting

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
