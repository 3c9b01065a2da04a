"""`lbdeploy handover`, without nodes: who may have the VIPs, and what a move has cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import SEED, as_by, cluster, observe, server, stopped, survey

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, RemoteError
from lbdeploy.operations.handover import candidates
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF
from lbdeploy.rollout.survey import Survey

PRIORITIES = {"lb1": 200, "lb2": 100}


def edited(tmp_path: Path, *edits: tuple[str, str]) -> Cluster:
    text = SEED.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return cluster(tmp_path, text)


def pending(after: Cluster, **of_lb2: Any) -> Survey:
    """The sample's pair, whose hosts.toml has been edited since the last `up`."""
    was = reader.load(SEED)
    lb1 = observe(after, after.node("lb1"), holds=True, states=as_by(was, "lb1"))
    return survey(after, lb1, observe(after, after.node("lb2"), states=as_by(was, "lb2"), **of_lb2))


def test_an_edit_that_is_not_made_yet_stops_no_handover(tmp_path: Path) -> None:
    """The VIPs may have to leave a node that is ill, whatever `up` would change; a node that is ill gets none."""
    after = edited(tmp_path, ("roundrobin", "leastconn"), ("router_id = 101", "router_id = 101\ncheck_fall = 4"))
    found = pending(after)
    assert {HAPROXY_CFG, KEEPALIVED_CONF} <= {change.name for change in found.plans["lb2"].changes}
    candidates.require_rules(after, found)
    candidates.refuse(after, found, "lb1", "lb2")
    assert candidates.chosen(after, found, "lb1", PRIORITIES, back=False) == "lb2"
    assert candidates.chosen(after, found, "lb1", PRIORITIES, back=True) == "lb1"
    hung = pending(after, haproxy_answers=False)
    with pytest.raises(RemoteError, match="its haproxy does not answer"):
        candidates.refuse(after, hung, "lb1", "lb2")
    with pytest.raises(RemoteError, match="no other node could take the VIPs; lb2: its haproxy"):
        candidates.chosen(after, hung, "lb1", PRIORITIES, back=False)


def test_servers_that_only_the_target_does_not_reach_do(seed: Cluster) -> None:
    """What is wrong on the holder, too, is the servers' own."""
    down = tuple(server("k8s-api", f"master{n}", "DOWN", "L4CON") for n in (1, 2, 3))
    lb2 = observe(seed, seed.node("lb2"), servers=down)
    with pytest.raises(RemoteError, match="lb2 should not have the VIPs: "):
        candidates.refuse(seed, survey(seed, observe(seed, seed.node("lb1"), holds=True), lb2), "lb1", "lb2")
    candidates.refuse(seed, survey(seed, observe(seed, seed.node("lb1"), holds=True, servers=down), lb2), "lb1", "lb2")


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (("priority = 100", "priority = 220"), ("lb2", "priority")),
        (("preempt_delay = 30", "preempt = false"), ("lb1", "nopreempt, preempt_delay")),
        (('vip = "192.168.0.10/24"', 'vip = ["192.168.0.10/24", "192.168.0.9/24"]'), ("lb1", "vips")),
    ],
)
def test_vrrp_that_goes_by_other_rules_is_refused(tmp_path: Path, edit: Any, named: tuple[str, str]) -> None:
    """What is asked of it would have other effects; the message says what differs, and what to do."""
    after = edited(tmp_path, edit)
    with pytest.raises(RemoteError) as caught:
        candidates.require_rules(after, pending(after))
    error = caught.value
    assert (error.node, error.message.rpartition(" differs in ")[2]) == named
    assert (error.state, error.fix) == ("nothing was moved", "lbdeploy up, or take back the edit of hosts.toml")


def test_a_node_whose_keepalived_does_not_run_has_no_say(tmp_path: Path) -> None:
    """What its file says, moves nothing."""
    after = edited(tmp_path, ("priority = 100", "priority = 220"))
    states = as_by(reader.load(SEED), "lb2") | {"service keepalived": stopped()}
    lb2 = observe(after, after.node("lb2"), states=states)
    candidates.require_rules(after, survey(after, observe(after, after.node("lb1"), holds=True), lb2))


def test_a_target_that_can_not_be_reached_is_told_of_as_it_is(seed: Cluster) -> None:
    """Exit code 4, as anywhere."""
    error = ConnectError("no answer", node="lb2", state="nothing was changed on it", fix="x")
    found = survey(seed, observe(seed, seed.node("lb1"), holds=True), lb2=error)
    with pytest.raises(ConnectError) as caught:
        candidates.refuse(seed, found, "lb1", "lb2")
    assert (caught.value.exit_code, caught.value.state) == (4, "nothing was moved; lb1 holds the VIPs")


def test_where_the_vips_are_is_said_where_they_are_apart(seed: Cluster) -> None:
    """Each of them, also the one that nobody has."""
    none = survey(seed, *(observe(seed, node) for node in seed.nodes))
    with pytest.raises(RemoteError, match=r"192\.168\.0\.10 is on no node, 192\.168\.1\.10 is on no node"):
        candidates.holder(seed, none)
    both = survey(seed, *(observe(seed, node, holds=True) for node in seed.nodes))
    with pytest.raises(RemoteError, match=r"192\.168\.0\.10 is on lb1 and lb2"):
        candidates.holder(seed, both)
