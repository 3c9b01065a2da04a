"""What one line says of a cluster: whether clients are served, and by whom."""

from __future__ import annotations

import pytest
from builders import server
from verdicts import BARE, DOWN, DRIFT, Changes, verdict

from lbdeploy.config.model import Cluster
from lbdeploy.health.digest.overview import Overview
from lbdeploy.node.resources.last_run import JournalState


@pytest.mark.parametrize(
    ("lb1", "lb2", "state", "nodes"),
    [
        pytest.param({}, {}, "healthy", (2, 2), id="all is well"),
        pytest.param({}, {"states": DRIFT}, "drifted", (2, 2), id="a file was edited, and all runs"),
        pytest.param({}, None, "degraded", (1, 2), id="the standby node is gone"),
        pytest.param(
            {"holds": False, "states": DOWN, "haproxy_answers": False, "servers": (), "own": {}},
            {"holds": True}, "degraded", (1, 2), id="the preferred node's haproxy was stopped",
        ),
        pytest.param({"holds": False}, {}, "down", (2, 2), id="nobody holds the VIPs"),
        pytest.param({}, {"holds": True}, "down", (2, 2), id="both hold them"),
        pytest.param(
            {"servers": (server("k8s-api", "master1", "DOWN"),)}, {}, "down", (2, 2), id="no server is up"
        ),
        pytest.param({"own": {"k8s-api": False}}, {}, "down", (2, 2), id="nothing answers behind the holder's haproxy"),
        pytest.param(None, {}, "unknown", (1, 2), id="the other node may hold them, and can't be asked"),
        pytest.param(None, None, "unknown", (0, 2), id="no node can be asked"),
        pytest.param({"holds": False, "states": BARE}, {"states": BARE}, "not deployed", (0, 2), id="bare nodes"),
        pytest.param({}, {"states": BARE}, "degraded", (1, 2), id="a bare node beside a holder"),
    ],
)  # fmt: skip
def test_a_cluster_is_in_one_state(
    seed: Cluster, lb1: Changes | None, lb2: Changes | None, state: str, nodes: tuple[int, int]
) -> None:
    """As clients feel it: what is wrong without them noticing is told from what they notice."""
    found = verdict(seed, lb1, lb2)
    assert (found.state, found.overview.nodes) == (state, nodes)
    assert found.to_json()["summary"] == found.overview.to_json(found.findings)


def test_servers_are_counted_as_the_holder_sees_them(seed: Cluster) -> None:
    """Of those in hosts.toml: haproxy may still have others."""
    three = [server("k8s-api", f"master{number}") for number in (1, 2, 3)]
    lb1 = {"servers": (*three[:2], server("k8s-api", "master3", "DOWN"), server("k8s-api", "old"))}
    assert verdict(seed, lb1, {"servers": tuple(three)}).overview.servers == (2, 3)
    assert verdict(seed, {"haproxy_answers": False}, {"servers": tuple(three)}).overview.servers == (3, 3)


def test_nodes_without_anything_are_told_from_nodes_that_are_broken(seed: Cluster) -> None:
    """A node whose daemons were stopped has a journal; one that holds a VIP takes part, whoever set it up."""
    broken = {**BARE, "service lbdeploy": JournalState("20260101T000000.000Z", "ann@laptop")}
    assert verdict(seed, {"holds": False, "states": broken}, {"states": BARE}).overview.bare == ("lb2",)
    assert verdict(seed, {"states": BARE}, {}).overview.bare == ()


def test_a_command_that_needs_a_cluster_says_that_there_is_none() -> None:
    """With the nodes, and with what to type next."""
    assert Overview("k8s-api", (0, 2), bare=("lb1",)).undeployed("nothing was moved") is None
    error = Overview("k8s-api", (0, 2), bare=("lb1", "lb2")).undeployed("nothing was moved")
    assert error is not None
    assert (error.message, error.state, error.fix) == (
        "k8s-api is not deployed on lb1, lb2",
        "nothing was moved",
        "lbdeploy plan",
    )
