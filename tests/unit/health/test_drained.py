"""What verify and status say of drained servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import observe, plans, server

from lbdeploy.config.model import Cluster
from lbdeploy.health.drained import drained
from lbdeploy.health.servers import backends, servers
from lbdeploy.health.state import ClusterState
from lbdeploy.health.verdict import judge
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.drains import Drain, render
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.server_state import ID

DRAIN = Drain("k8s-api", "master1", 1795971480, "ann@laptop")


def with_record(seen: Observation, status: str = "DRAIN") -> Observation:
    """The same node, on which master1 is drained, and which haproxy sees in this state."""
    record = FileState("file", "600", "root:root", 1.0, render([DRAIN], {DRAIN.pair: 6443}))
    stats = tuple(server("k8s-api", "master1", status) if each.server == "master1" else each for each in seen.servers)
    return replace(seen, states={**seen.states, ID: record}, servers=stats)


def state(seed: Cluster, *seen: Observation) -> ClusterState:
    return ClusterState(seed, seen, plans(seed, *seen))


def pair(seed: Cluster) -> tuple[Observation, Observation]:
    return observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2"))


def test_a_drained_server_is_a_warning_with_who_and_since_when(seed: Cluster) -> None:
    """It is no fault of the server, nor drift: nothing else is said of it, and the cluster is healthy."""
    seen = [with_record(each) for each in pair(seed)]
    found = [each for each in judge(seed, seen, plans(seed, *seen)).findings if not each.ok]
    assert [(each.check, each.severity, each.detail, each.fix) for each in found] == [
        (
            "drained",
            "warning",
            "k8s-api/master1 is drained since 2026-11-29 16:58 UTC by ann@laptop: it gets no new connections",
            "when its work is done: lbdeploy undrain master1",
        )
    ]
    verdict: Any = judge(seed, seen, plans(seed, *seen)).to_json()
    assert [each["drained"] for each in verdict["servers"]] == [DRAIN.to_json(), None, None] * 2


def test_a_server_that_is_down_while_it_is_drained_is_not_told_of(seed: Cluster) -> None:
    """That is what drains are for. It does not count among those that could be up."""
    seen = [with_record(each, "DOWN") for each in pair(seed)]
    assert all(each.ok for each in servers(state(seed, *seen)))
    assert {each.detail for each in backends(state(seed, *seen))} == {"k8s-api has 2 of 2 servers up; drained: master1"}


def test_nodes_that_do_not_agree_are_named(seed: Cluster) -> None:
    """Either command makes them."""
    first, second = pair(seed)
    (found,) = drained(state(seed, with_record(first), second))
    assert found.detail.endswith("by ann@laptop, but not on lb2, where it gets connections")
    assert found.fix == "lbdeploy drain master1; or, to end it: lbdeploy undrain master1"


def test_the_frontend_is_named_where_another_one_has_the_server_too(seed: Cluster) -> None:
    """There it may be in use, or drained for another reason."""
    both = replace(seed, frontends=(*seed.frontends, replace(seed.frontends[0], name="ingress", port=8443)))
    first, second = pair(seed)
    (found,) = drained(ClusterState(both, (with_record(first), with_record(second)), {}))
    assert found.fix == "when its work is done: lbdeploy undrain master1 --frontend k8s-api"


def test_a_haproxy_that_does_not_go_by_the_record_is_named(seed: Cluster) -> None:
    """As after somebody's `set server ... state ready`."""
    first, second = pair(seed)
    (found,) = drained(state(seed, with_record(first), with_record(second, "UP")))
    assert found.detail.endswith("but haproxy on lb2 gives it new connections")


def test_nothing_is_said_where_nothing_is_drained(seed: Cluster) -> None:
    """No finding at all."""
    assert list(drained(state(seed, *pair(seed)))) == []
