"""What follows from how the nodes were seen: who may be left out, and what is refused before anything is begun."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import LONG_AGO, SEED, as_by, cluster, links, observe, plans, stopped, survey

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, HostKeyError, LbdeployError, LockedError, LoginError, RemoteError, SudoError
from lbdeploy.node.parsers import Room
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.operations.exit_status import changed, planned, verified
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF
from lbdeploy.rollout.run import Outcome
from lbdeploy.rollout.survey import Survey

DRIFT = {f"file {HAPROXY_CFG}": FileState("file", "644", "root:root", LONG_AGO, "edited\n")}
LOST = ConnectError("no answer", node="lb2")


def pair(seed: Cluster) -> Survey:
    """Both nodes, with drift on the standby."""
    return survey(seed, observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2"), states=DRIFT))


def limited(seed: Cluster) -> Survey:
    """Only lb2 is to be changed, and lb1 was seen besides."""
    both = pair(seed)
    beside = {"lb1": both.observations["lb1"]}
    return replace(both, observations={"lb2": both.observations["lb2"]}, beside=beside)


def test_a_cluster_that_is_fit_is_not_refused(seed: Cluster) -> None:
    """Nothing stands in the way of a run."""
    pair(seed).refuse()


@pytest.mark.parametrize("error", [HostKeyError("x"), LoginError("x"), SudoError("x")])
def test_a_node_that_will_not_have_us_is_never_left_out(seed: Cluster, error: LbdeployError) -> None:
    """It is there, and somebody has to look at it: it may be the wrong machine."""
    found = survey(seed, observe(seed, seed.node("lb1"), holds=True), lb2=error)
    with pytest.raises(type(error)):
        found.refuse()


def test_all_nodes_that_can_not_be_reached_are_named(seed: Cluster) -> None:
    """Nobody has to find them one by one."""
    with pytest.raises(ConnectError) as caught:
        survey(seed, lb1=ConnectError("no answer", node="lb1", fix="look"), lb2=LOST).refuse()
    error = caught.value
    assert (error.node, error.message, error.fix) == ("lb1", "no answer\nlb2: no answer", "look")
    assert error.to_json()["message"] == error.message


def test_all_nodes_that_were_left_out_are_named(seed: Cluster) -> None:
    """At the end of `plan`, `up` and `verify`, on the screen and in JSON."""
    others = {name: ConnectError(f"{name} is off", node=name) for name in ("lb2", "lb3")}
    seen = survey(seed, observe(seed, seed.node("lb1"), holds=True))
    outcome = Outcome(seen.plan, seen.verdict, errors=others)
    for end in (planned, changed, verified):
        ending = end(outcome)
        assert ending.error
        assert ending.error.node == "lb2"
        assert re.search(r"lb2 is off\nlb3: .*lb3 is off$", ending.error.message)
        assert ending.document["error"]["message"] == ending.error.message


def test_a_node_that_can_not_be_reached_is_left_out_where_others_hold_the_vips(seed: Cluster) -> None:
    """It is dead, or cut off: the holder is known, and it is not that one."""
    survey(seed, observe(seed, seed.node("lb1"), holds=True), lb2=LOST).refuse()


def test_a_node_that_can_not_be_reached_may_be_the_holder(seed: Cluster) -> None:
    """Where a VIP is on no node that was seen, the one that was not may serve clients."""
    none = survey(seed, observe(seed, seed.node("lb1")), lb2=LOST)
    one_of_two = tuple(
        full if full.name == "ens33" else bare
        for full, bare in zip(
            links(seed, seed.node("lb1"), holds=True), links(seed, seed.node("lb1"), holds=False), strict=True
        )
    )
    for found in (none, survey(seed, observe(seed, seed.node("lb1"), links=one_of_two), lb2=LOST)):
        with pytest.raises(ConnectError) as caught:
            found.refuse()
        assert caught.value is LOST


def test_the_holder_may_be_one_that_is_not_to_be_changed(seed: Cluster) -> None:
    """With --limit the others are looked at all the same."""
    both = limited(seed)
    replace(both, observations={}, plans={}, errors={"lb2": LOST}).refuse()


def test_every_problem_is_told_at_once(seed: Cluster) -> None:
    """The first one makes the error, and the others stand below it."""
    full = (Room("/etc/haproxy", 3, 10**6),)
    found = survey(
        seed,
        observe(seed, seed.node("lb1"), holds=True, apt=False),
        observe(seed, seed.node("lb2"), room=full),
    )
    with pytest.raises(RemoteError) as caught:
        found.refuse()
    assert (caught.value.node, caught.value.state) == ("lb1", "nothing was changed")
    assert caught.value.message.startswith("has no apt-get\nlb2: /etc/haproxy has only 3 KiB free; make room")
    with pytest.raises(RemoteError, match="has only 3 KiB free"):
        found.refuse(["apt"])
    found.refuse(["apt", "disk"])


def test_what_peers_must_agree_on_is_refused_where_some_are_left_out(tmp_path: Path) -> None:
    """A node that can't be reached would stop hearing the others, and take the VIPs when it comes back."""
    after = cluster(tmp_path, SEED.read_text().replace("router_id = 101", "router_id = 102"))
    found = survey(
        after, observe(after, after.node("lb1"), holds=True, states=as_by(reader.load(SEED), "lb1")), lb2=LOST
    )
    with pytest.raises(RemoteError, match="leaves out lb2"):
        found.refuse()
    found.refuse(["agreement"])


def test_a_node_that_starts_beside_one_with_other_settings_is_refused(tmp_path: Path) -> None:
    """A reinstalled node alone is to be changed, and the holder has another router ID than hosts.toml."""
    after = cluster(tmp_path, SEED.read_text().replace("router_id = 101", "router_id = 102"))
    bare = {f"file {KEEPALIVED_CONF}": FileState("missing"), "service keepalived": stopped()}
    both = survey(
        after,
        observe(after, after.node("lb1"), holds=True, states=as_by(reader.load(SEED), "lb1")),
        observe(after, after.node("lb2"), states=bare),
    )
    both.refuse()  # lb1 is changed first then
    seen = both.observations
    found = replace(both, observations={"lb2": seen["lb2"]}, beside={"lb1": seen["lb1"]})
    with pytest.raises(RemoteError, match="lb1 runs, is not to be changed, and has virtual_router_id 101 instead"):
        found.refuse()
    found.refuse(["agreement"])


def test_nodes_that_are_not_to_be_changed_are_seen_too(seed: Cluster) -> None:
    """They hold VIPs, and make a cluster alive; but they are not judged, and nothing is done to them."""
    found = limited(seed)
    assert list(found.seen) == ["lb1", "lb2"]
    assert found.is_live
    assert found.plan.order == (("lb2",),)
    assert {each.node for each in found.verdict.findings} <= {None, "lb2"}


def test_a_cluster_is_alive_where_any_node_is(seed: Cluster) -> None:
    """Also one that is not to be changed."""
    dead = {"service keepalived": stopped()}
    both = survey(seed, *(observe(seed, node, states=dead) for node in seed.nodes))
    assert not both.is_live
    assert replace(both, beside={"lb1": observe(seed, seed.node("lb1"), states=dead, holds=True)}, observations={
        "lb2": both.observations["lb2"]}).is_live  # fmt: skip


def test_what_is_still_to_be_changed_is_no_drift_yet(seed: Cluster) -> None:
    """After a stage, the changes of later stages are not held against the cluster."""
    found = pair(seed)
    later = {("lb2", HAPROXY_CFG, "update"), ("lb2", "haproxy", "reload")}
    assert not found.verdict.healthy
    assert found.without(later).verdict.healthy
    assert not found.without(later - {("lb2", "haproxy", "reload")}).verdict.healthy
    assert found.without({("lb1", HAPROXY_CFG, "update")}).plans == plans(seed, *found.observations.values())


def test_the_last_run_of_each_node_is_known(seed: Cluster) -> None:
    """One that has not ended leaves a node in a state that may change; a lock knows it by its name all the same."""
    journal = JournalState("20261123T000000.000Z", "ann", "x", ended=False)
    found = survey(
        seed, observe(seed, seed.node("lb1")), observe(seed, seed.node("lb2"), states={"service lbdeploy": journal})
    )
    assert found.runs == {"lb1": "20260101T000000.000Z", "lb2": "under way"}
    assert found.begun == {"lb1": "20260101T000000.000Z", "lb2": "20261123T000000.000Z"}


def test_half_of_another_runs_change_is_not_refused_but_waited_for(seed: Cluster) -> None:
    """The VIP is there, and the file from before it, too: whoever is changing the node is named, not the VIP."""
    changing = {"service lbdeploy": JournalState("1", "ann", "reload keepalived", ended=False, active=True)}
    node = observe(seed, seed.node("lb2"), states=changing)
    found = survey(seed, observe(seed, seed.node("lb1"), holds=True), node)
    with pytest.raises(LockedError, match="another run is at work: ann"), found.judged():
        raise RemoteError("has a VIP that keepalived did not put there")
    with pytest.raises(RemoteError, match="did not put"), pair(seed).judged():
        raise RemoteError("has a VIP that keepalived did not put there")
