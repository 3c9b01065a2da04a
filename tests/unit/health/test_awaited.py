"""What `verify --wait` waits for."""

from __future__ import annotations

import pytest
from builders import observe, plans, server

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.health.awaited import Goal, missing
from lbdeploy.health.verdict import Verdict, judge
from lbdeploy.node.parsers import ServerStat
from lbdeploy.operations.exit_status import verified
from lbdeploy.planning.plan import Plan
from lbdeploy.rollout.run import Outcome


def verdict(seed: Cluster, *first: ServerStat, holder: str = "lb1") -> Verdict:
    """The pair, of which lb1 sees the first servers so."""
    seen = [observe(seed, node, holds=node.name == holder) for node in seed.nodes]
    stats = (*first, *seen[0].servers[len(first) :])
    seen[0] = observe(seed, seed.node("lb1"), holds=holder == "lb1", servers=stats)
    return judge(seed, seen, plans(seed, *seen))


def checks(found: Verdict, goal: Goal | None) -> list[str]:
    return [each.check for each in missing(found.findings, goal)]


RISING = server("k8s-api", "master1", "DOWN 1/3", "L4OK")
DOWN = server("k8s-api", "master1", "DOWN", "L4CON")


@pytest.mark.parametrize(
    ("goal", "rising", "down", "elsewhere"),
    [
        (None, ["server"], [], []),
        ("servers", ["server"], ["server"], []),
        ("vips", [], [], ["holder"]),
        ("all", ["server"], ["server"], ["holder"]),
    ],
)
def test_what_is_missing(
    seed: Cluster, goal: Goal | None, rising: list[str], down: list[str], elsewhere: list[str]
) -> None:
    """Without a goal, only servers that are about to be up; a healthy pair lacks nothing."""
    assert checks(verdict(seed), goal) == []
    assert checks(verdict(seed, RISING), goal) == rising
    assert checks(verdict(seed, DOWN), goal) == down
    assert checks(verdict(seed, holder="lb2"), goal) == elsewhere


def test_a_node_that_can_not_be_reached_is_missing_for_every_goal(seed: Cluster) -> None:
    """How it sees the servers, or which VIPs it has, is not known."""
    seen = observe(seed, seed.node("lb1"), holds=True)
    lost = {"lb2": ConnectError("no answer", node="lb2", state="x", fix="y")}
    found = judge(seed, [seen], plans(seed, seen), lost)
    for goal in (None, "servers", "vips", "all"):
        assert "reach" in checks(found, goal)  # type: ignore[arg-type]


def test_a_goal_that_is_not_reached_is_a_failure(seed: Cluster) -> None:
    """Exit 6 also where the cluster is healthy; without a goal, a server that is down is a warning."""
    outcome = Outcome(Plan({}, ()), verdict(seed, DOWN))
    assert verified(outcome).exit_code == 0
    assert verified(outcome, "vips").exit_code == 0
    late = verified(outcome, "servers")
    assert late.error
    assert (late.exit_code, late.error.message) == (
        6,
        "what was waited for has not come about: k8s-api/master1 (192.168.1.21:6443): DOWN L4CON, seen from lb1: "
        "lb2 sees it up, so it runs: the way from lb1 to 192.168.1.21:6443 is at fault",
    )
