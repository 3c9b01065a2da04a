"""The difference between what nodes have and what they should have."""

from __future__ import annotations

import pytest
from builders import LONG_AGO, observe, plans

from lbdeploy.config.model import Cluster
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning.desired import (
    HAPROXY_CFG,
)
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.planning.stages import staged

DRIFTED = FileState("file", "644", "root:root", LONG_AGO, "edited by hand\n")


@pytest.fixture
def two_stages(seed: Cluster) -> Plan:
    """lb2 and then lb1 get another haproxy.cfg; nothing else."""
    drift = {f"file {HAPROXY_CFG}": DRIFTED}
    found = plans(seed, *(observe(seed, node, states=drift) for node in seed.nodes))
    stages = (
        Stage(Strategy.RELOAD, {"lb2": found["lb2"]}, "nothing"),
        Stage(Strategy.AWAY, {"lb1": found["lb1"]}, "a second"),
    )
    return Plan(found, stages)


def test_a_plan_lists_its_changes_in_the_order_of_the_run(two_stages: Plan) -> None:
    """Changes are told stage by stage, as they will happen, each with its node, and with a diff for a file."""
    changes = two_stages.to_json()
    assert [(each["node"], each["kind"], each["name"], each["action"]) for each in changes] == [
        ("lb2", "file", HAPROXY_CFG, "update"),
        ("lb2", "service", "haproxy", "reload"),
        ("lb1", "file", HAPROXY_CFG, "update"),
        ("lb1", "service", "haproxy", "reload"),
    ]
    assert changes[0]["diff"].startswith(f"--- a{HAPROXY_CFG}\n+++ b{HAPROXY_CFG}\n@@")
    assert "diff" not in changes[1]
    assert [name for name, _ in two_stages.changes] == ["lb2", "lb2", "lb1", "lb1"]


def test_a_plans_order_is_that_of_its_stages(two_stages: Plan) -> None:
    """The nodes of each stage, and what it costs, in words that scripts can read."""
    assert two_stages.order == (("lb2",), ("lb1",))
    assert [stage.to_json() for stage in two_stages.stages] == [
        {"nodes": ["lb2"], "way": "reload", "cost": "nothing"},
        {"nodes": ["lb1"], "way": "away", "cost": "a second"},
    ]


def test_a_plan_without_stages_has_no_changes(two_stages: Plan) -> None:
    """What a run does is in its stages alone."""
    idle = Plan(two_stages.nodes, ())
    assert (idle.changes, idle.order, idle.to_json()) == ((), (), [])


def test_a_node_that_was_not_seen_is_no_part_of_the_plan(seed: Cluster) -> None:
    """A plan has the nodes that were observed, and no others."""
    seen = observe(seed, seed.node("lb2"), states={f"file {HAPROXY_CFG}": DRIFTED})
    assert staged(seed, plans(seed, seen), [seen]).order == (("lb2",),)
