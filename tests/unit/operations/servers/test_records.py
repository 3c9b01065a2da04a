"""Whether a node has to be told anything, and what its record is then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import server

from lbdeploy.config.model import Cluster
from lbdeploy.node.resources.drains import Drain, render
from lbdeploy.operations.servers.names import State, members
from lbdeploy.operations.servers.node_scripts import NodeServers
from lbdeploy.operations.servers.records import after, pending

OLD, NOW = Drain("k8s-api", "master1", 5, "ann"), Drain("", "", 9, "bob")


def view(seed: Cluster, *drains: Drain, status: str = "UP") -> NodeServers:
    record = render(drains, {each.pair: 6443 for each in drains})
    stats = (server("k8s-api", "master1", status),)
    return NodeServers(seed.preferred, record, answers=True, loads=True, stats=stats, open={})


def test_who_drained_first_stays_on_record(seed: Cluster) -> None:
    """A second drain changes nothing of it; others' stay, too."""
    one = members(seed, "master1")
    assert after(view(seed), one, "drain", NOW) == (replace(NOW, frontend="k8s-api", server="master1"),)
    other = Drain("k8s-api", "master2", 6, "eve")
    assert after(view(seed, OLD, other), one, "drain", NOW) == (OLD, other)
    assert after(view(seed, OLD, other), one, "ready", NOW) == (other,)


@pytest.mark.parametrize(
    ("drained", "status", "state", "told"),
    [
        (False, "UP", "drain", True),
        (True, "DRAIN", "drain", False),
        (True, "DOWN", "drain", False),
        (True, "UP", "drain", True),  # by somebody's hand
        (True, "DRAIN", "ready", True),
        (False, "UP", "ready", False),
        (False, "DOWN", "ready", False),
        (False, "DRAIN", "ready", True),  # by somebody's hand
        (False, "MAINT", "ready", True),
    ],
)
def test_a_node_is_told_only_what_is_not_so_yet(
    seed: Cluster, drained: bool, status: str, state: State, told: bool
) -> None:
    """By its record, and by what its haproxy does."""
    seen = view(seed, *([OLD] if drained else []), status=status)
    assert pending(seen, members(seed, "master1"), state) is told


def test_a_weight_of_0_is_no_drain(seed: Cluster) -> None:
    """It is hosts.toml's, and there is nothing to end."""
    ((frontend, one),) = members(seed, "master1")
    assert not pending(view(seed, status="DRAIN"), [(frontend, replace(one, weight=0))], "ready")
