"""What stops a run after a stage, and what must be so before one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import (
    BIG,
    SEED,
    as_by,
    cluster,
    observe,
    plans,
    running,
    server,
    stopped,
    survey,
)
from clusters import with_firewall, with_options
from goldens import GOOD, OPTIONS

from lbdeploy.common.typed import Typed
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, LastNodeError
from lbdeploy.node.drift import diff
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import FAULT_STATE, Observation
from lbdeploy.node.parsers import Answered, ServerStat
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import FIREWALL_SERVICE, desired
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.rollout.gate import excuses, objections, of_servers, refuse_the_last, refused_at_once
from lbdeploy.rollout.survey import Survey

NOBODY: frozenset[tuple[str | None, str]] = frozenset()
DOWN = tuple(server("k8s-api", f"master{n}", "DOWN", "L4CON") for n in (1, 2, 3))


@pytest.fixture
def after(tmp_path: Path) -> Cluster:
    """The sample's pair, whose port is another one than the nodes have: lb2 is changed first, then the holder lb1."""
    return cluster(tmp_path, GOOD.replace("port = 6443", "port = 6444"))


def old(after: Cluster, name: str, *, holds: bool = False, **changes: Any) -> Observation:
    """A node before it is changed."""
    return observe(after, after.node(name), holds=holds, states=as_by(reader.load(SEED), name), **changes)


def new(after: Cluster, name: str, *, holds: bool = False, **changes: Any) -> Observation:
    """A node after it was changed."""
    return observe(after, after.node(name), holds=holds, **changes)


def before(after: Cluster) -> Survey:
    return survey(after, old(after, "lb1", holds=True), old(after, "lb2"))


def objected(stage: int, was: Survey, now: Survey, excused: Any = NOBODY) -> list[tuple[str | None, str]]:
    plan = was.plan
    return [(each.node, each.check) for each in objections(plan, plan.stages[stage], was, now, excused)]


def test_a_stage_after_which_all_is_well_may_stay(after: Cluster) -> None:
    """What the other node still lacks is no objection: its turn comes."""
    was = before(after)
    assert was.plan.order == (("lb2",), ("lb1",))
    assert objected(0, was, survey(after, old(after, "lb1", holds=True), new(after, "lb2"))) == []
    assert objected(1, was, survey(after, new(after, "lb1", holds=True), new(after, "lb2"))) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"own": {"k8s-api": False}}, {("lb2", "frontend")}),
        ({"haproxy_answers": False}, {("lb2", "check")}),
        ({"states": {"service keepalived": stopped()}}, {("lb2", "service")}),
        ({"states": {"sysctl net.ipv4.ip_nonlocal_bind": "0"}}, {("lb2", "sysctl")}),
        ({"servers": tuple(server("k8s-api", f"master{n}") for n in (1, 2))}, {("lb2", "server")}),
        ({"servers": ()}, {("lb2", "server"), ("lb2", "backend")}),
    ],
)
def test_a_changed_node_that_is_not_well_is_an_objection(
    after: Cluster, changes: dict[str, Any], found: set[tuple[str, str]]
) -> None:
    """It does not serve, does not answer, does not run, drifts, or has lost servers that the other one has."""
    now = survey(after, old(after, "lb1", holds=True), new(after, "lb2", **changes))
    assert set(objected(0, before(after), now)) == found


def test_what_is_wrong_with_another_node_is_no_objection(after: Cluster) -> None:
    """Undoing this stage would not fix it."""
    now = survey(after, old(after, "lb1", holds=True, own={"k8s-api": False}), new(after, "lb2"))
    assert objected(0, before(after), now) == []


def test_warnings_are_no_objections(after: Cluster) -> None:
    """A server that is down for both was not lost by the change."""
    down = tuple(server("k8s-api", f"master{n}", "DOWN" if n == 3 else "UP", "L4OK") for n in (1, 2, 3))
    now = survey(after, old(after, "lb1", holds=True, servers=down), new(after, "lb2", servers=down))
    assert objected(0, before(after), now) == []


def test_vips_that_are_nowhere_or_everywhere_are_an_objection(after: Cluster) -> None:
    """They concern the whole cluster, whichever node was changed."""
    nowhere = survey(after, old(after, "lb1"), new(after, "lb2"))
    assert set(objected(0, before(after), nowhere)) == {(None, "vip")}
    both = survey(after, old(after, "lb1", holds=True), new(after, "lb2", holds=True))
    assert {(None, "vip"), (None, "holder")} <= set(objected(0, before(after), both))


@pytest.mark.parametrize(("held", "objected_to"), [((), set()), (("lb1", "lb2"), {(None, "vip"), (None, "holder")})])
def test_vips_that_were_nowhere_may_stay_so_but_not_be_everywhere(
    after: Cluster, held: tuple[str, ...], objected_to: set[tuple[str | None, str]]
) -> None:
    """What was wrong with them before is no objection while they are where they were: another fault of theirs is."""
    was = survey(after, old(after, "lb1"), old(after, "lb2"))
    now = survey(after, *(new(after, name, holds=name in held) for name in ("lb1", "lb2")))
    stage = Stage(Strategy.RELOAD, {name: was.plans[name] for name in ("lb1", "lb2")}, "")
    found = objections(Plan(was.plans, (stage,)), stage, was, now, NOBODY)
    assert {(each.node, each.check) for each in found} == objected_to


def test_vips_that_have_moved_though_nothing_should_move_them_are_an_objection(after: Cluster) -> None:
    """The change did something to the holder that nobody had foreseen."""
    was = before(after)
    now = survey(after, old(after, "lb1"), new(after, "lb2", holds=True))
    (found,) = [each for each in objections(was.plan, was.plan.stages[0], was, now, NOBODY) if each.check == "holder"]
    assert found.detail == "the VIPs moved from lb1 to lb2, which the plan did not foresee"
    assert "on lb1 and lb2" in (found.fix or "")


@pytest.mark.parametrize(("up", "objected_to"), [(True, []), (False, ["holder"])])
def test_vips_that_go_where_servers_are_up_again_are_no_objection(
    after: Cluster, *, up: bool, objected_to: list[str]
) -> None:
    """A new token of the check brings servers back on the first node that gets it: the holder leaves it the VIPs."""
    was = survey(after, old(after, "lb1", holds=True, servers=DOWN), old(after, "lb2", servers=DOWN))
    theirs: dict[str, Any] = {} if up else {"servers": DOWN}
    now = survey(after, old(after, "lb1", servers=DOWN), new(after, "lb2", holds=True, **theirs))
    found = objections(was.plan, was.plan.stages[0], was, now, excuses(was.plan, was.plan.stages[0], was))
    assert [each.check for each in found] == objected_to


WEB = '\n[frontends.web]\nport = 443\n[frontends.web.servers]\nworker1 = "192.168.1.31"\n'
UP = tuple(server("k8s-api", f"master{n}") for n in (1, 2, 3))


@pytest.mark.parametrize(("had", "objected_to"), [(DOWN, []), (UP, ["holder"])])
def test_vips_go_where_more_frontends_have_servers_though_one_has_none_anywhere(
    tmp_path: Path, had: tuple[ServerStat, ...], objected_to: list[str]
) -> None:
    """Servers of another frontend that are dead for both say nothing. That lb2 has no more than lb1 had, does."""
    after = cluster(tmp_path, GOOD.replace("port = 6443", "port = 6444") + WEB)
    dead = (server("web", "worker1", "DOWN", "L4CON"),)
    servers = (*had, *dead)
    was = survey(after, old(after, "lb1", holds=True, servers=servers), old(after, "lb2", servers=servers))
    now = survey(after, old(after, "lb1", servers=servers), new(after, "lb2", holds=True, servers=(*UP, *dead)))
    found = objections(was.plan, was.plan.stages[0], was, now, excuses(was.plan, was.plan.stages[0], was))
    assert [each.check for each in found] == objected_to


def test_a_holder_where_there_was_none_is_no_objection(after: Cluster) -> None:
    """VIPs that nobody had are welcome anywhere."""
    was = survey(after, old(after, "lb1"), old(after, "lb2"))
    now = survey(after, old(after, "lb1"), new(after, "lb2", holds=True))
    stage = Stage(Strategy.RELOAD, {"lb2": was.plans["lb2"]}, "")
    assert objections(Plan(was.plans, (stage,)), stage, was, now, NOBODY) == []


def test_what_is_excused_is_no_objection(after: Cluster) -> None:
    """Findings of before that this stage need not fix."""
    silent = survey(after, old(after, "lb1", holds=True), new(after, "lb2", own={"k8s-api": False}))
    assert objected(0, before(after), silent, frozenset({("lb2", "frontend")})) == []
    assert objected(0, before(after), silent, frozenset({("lb1", "frontend")})) == [("lb2", "frontend")]


def test_servers_that_were_down_before_excuse_what_fails_because_of_them(after: Cluster) -> None:
    """With no server up nobody answers behind a node: not the load balancer is the cause."""
    sick = {"servers": DOWN, "own": {"k8s-api": False}}
    was = survey(after, old(after, "lb1", holds=True, **sick), old(after, "lb2", **sick))
    last = was.plan.stages[1]
    assert excuses(was.plan, last, was) == {
        ("lb1", "backend"), ("lb1", "frontend"), ("lb2", "backend"), ("lb2", "frontend"),
    }  # fmt: skip
    assert of_servers(was) == excuses(was.plan, last, was)


def test_while_the_holder_is_still_to_be_changed_what_failed_is_excused(after: Cluster) -> None:
    """Nothing answers on a new port before the holder has it; once it has, the standby is no excuse."""
    sick = {"own": {"k8s-api": False}}
    was = survey(after, old(after, "lb1", holds=True), old(after, "lb2", **sick))
    first, last = was.plan.stages
    assert ("lb2", "frontend") in excuses(was.plan, first, was)
    assert ("lb2", "frontend") not in excuses(was.plan, last, was)


def test_servers_that_say_nothing_to_a_greeting_undo_no_change(tmp_path: Path) -> None:
    """They are up, and were as silent before; another port that falls silent is an objection all the same."""
    mute = '[frontends.mute]\nport = 5432\n[frontends.mute.servers]\ndb = "192.168.1.31"\n'
    of = cluster(tmp_path, GOOD + mute)
    silent = {"own": {"k8s-api": True, "mute": False}, "answered": _answered(of, 5432)}
    states = {"sysctl net.ipv4.ip_nonlocal_bind": "0"}
    was = survey(of, *(observe(of, node, holds=node.name == "lb1", states=states, **silent) for node in of.nodes))
    now = survey(of, *(observe(of, node, holds=node.name == "lb1", **silent) for node in of.nodes))
    for at, stage in enumerate(was.plan.stages):
        assert objected(at, was, now, excuses(was.plan, stage, was)) == []
    assert now.verdict.settled(["lb1", "lb2"], excuses(was.plan, was.plan.stages[-1], was))
    worse = replace(now.observations["lb1"], answered=_answered(of, 5432, 6443))
    broken = survey(of, worse, now.observations["lb2"])
    last = len(was.plan.stages) - 1
    assert objected(last, was, broken, excuses(was.plan, was.plan.stages[last], was)) == [("lb1", "api")] * 2


@pytest.mark.parametrize(("status", "objected_to"), [("UP", []), ("DOWN", [("lb2", "frontend")])])
def test_a_new_frontend_whose_server_says_nothing_is_left_to_verify(
    tmp_path: Path, status: str, objected_to: list[tuple[str, str]]
) -> None:
    """It is up by its check, and nothing answered there before. With no server up, the frontend is of no use yet."""
    mute = '[frontends.mute]\nport = 5432\n[frontends.mute.servers]\ndb = "192.168.1.31"\n'
    of = cluster(tmp_path, GOOD + mute)
    servers = tuple(each for each in observe(of, of.preferred).servers if each.frontend != "mute")
    was = survey(
        of,
        *(
            observe(of, node, holds=node.name == "lb1", states=as_by(reader.load(SEED), node.name), servers=servers,
                    own={"k8s-api": True}, answered=_answered(of, 5432))
            for node in of.nodes
        ),
    )  # fmt: skip
    seen = (*servers, server("mute", "db", status, "L4OK"))
    after = observe(
        of, of.node("lb2"), servers=seen, own={"k8s-api": True, "mute": False}, answered=_answered(of, 5432)
    )
    now = survey(of, was.observations["lb1"], after)
    stage = was.plan.stages[0]
    assert objected(0, was, now, excuses(was.plan, stage, was)) == objected_to


def _answered(of: Cluster, *silent: int) -> tuple[Answered, ...]:
    pairs = [(vip.ip, each.port) for vip in of.vips for each in of.frontends]
    return tuple(Answered(ip, port, "" if port in silent else "16") for ip, port in pairs)


def test_what_is_not_the_servers_fault_is_never_excused(after: Cluster) -> None:
    """A service that did not run before is what the stage is to fix."""
    was = survey(after, old(after, "lb1", holds=True), new(after, "lb2", states={"service haproxy": stopped()}))
    assert excuses(was.plan, was.plan.stages[0], was) == NOBODY


# Who goes on serving while a stage is carried out


def stage(found: Survey, way: Strategy, *names: str) -> Stage:
    return Stage(way, {name: found.plans[name] for name in names}, "")


SICK = {"states": {"service haproxy": stopped()}}


def test_a_node_is_changed_while_another_one_can_take_over(seed: Cluster) -> None:
    """In each way, and whichever node it is."""
    found = survey(seed, observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2")))
    for way in Strategy:
        for name in ("lb1", "lb2"):
            refuse_the_last(stage(found, way, name), found, force=False)


@pytest.mark.parametrize("way", [Strategy.RELOAD, Strategy.TOGETHER, Strategy.REELECT])
def test_the_last_healthy_node_is_not_changed_unless_it_is_forced(seed: Cluster, way: Strategy) -> None:
    """Its change might be the end of the service. The error says who is not able to take over, and why."""
    found = survey(seed, observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2"), **SICK))
    with pytest.raises(LastNodeError) as caught:
        refuse_the_last(stage(found, way, "lb1"), found, force=False)
    assert caught.value.message == (
        "no other node could take over while lb1 is changed; lb2 cannot take over: haproxy is not running there"
    )
    assert (caught.value.node, caught.value.state) == ("lb1", "lb1 was left as it is")
    assert isinstance(caught.value.fix, Typed)
    assert caught.value.fix.words == ("lbdeploy", "up", "--force-last")
    refuse_the_last(stage(found, way, "lb1"), found, force=True)
    refuse_the_last(stage(found, way, "lb2"), found, force=False)


def test_a_standby_that_runs_is_not_brought_back_by_other_settings(seed: Cluster, tmp_path: Path) -> None:
    """What its keepalived tracks is in the way; only one that is to be started needs what the last one has."""
    after = cluster(tmp_path, GOOD.replace("router_id = 101", "router_id = 102"))
    fault = KeepalivedState(FAULT_STATE, 100, 1.0)
    nodes = [observe(after, n, holds=n.name == "lb1", states=as_by(seed, n.name)) for n in after.nodes]
    found = survey(after, nodes[0], replace(nodes[1], keepalived=fault))
    with pytest.raises(LastNodeError) as caught:
        refuse_the_last(found.plan.stages[0], found, force=False)
    assert "hosts.toml" not in f"{caught.value.message} {caught.value.fix}"


def test_where_another_node_has_to_take_the_vips_force_is_no_help(seed: Cluster) -> None:
    """Nobody could take them."""
    found = survey(seed, observe(seed, seed.node("lb1"), holds=True), lb2=ConnectError("no answer"))
    with pytest.raises(LastNodeError) as caught:
        refuse_the_last(stage(found, Strategy.AWAY, "lb1"), found, force=True)
    assert caught.value.message.endswith("lb2 cannot take over: no answer")
    assert caught.value.fix == "bring another node back first"


def test_where_nothing_lives_yet_nobody_has_to_take_over(seed: Cluster) -> None:
    """Nor where none of the nodes that are changed is healthy: it can but get better."""
    found = survey(seed, *(observe(seed, node, **SICK) for node in seed.nodes))
    refuse_the_last(stage(found, Strategy.BEGIN, "lb1", "lb2"), found, force=False)
    refuse_the_last(stage(found, Strategy.RELOAD, "lb1"), found, force=False)


def test_of_nodes_that_are_changed_together_one_can_be_done_without(tmp_path: Path) -> None:
    """What is new was rehearsed on all of them. One that is alone has nobody beside it."""
    made = cluster(tmp_path, BIG)
    found = survey(made, *(observe(made, node) for node in made.nodes))
    refuse_the_last(stage(found, Strategy.TOGETHER, "lb-a", "lb-b", "lb-c"), found, force=False)
    refuse_the_last(stage(found, Strategy.REELECT, "lb-a", "lb-b", "lb-c"), found, force=False)
    alone = survey(made, *(observe(made, node, **({} if node.name == "lb-a" else SICK)) for node in made.nodes))
    with pytest.raises(LastNodeError, match="while lb-a is changed; lb-b cannot take over: haproxy is not"):
        refuse_the_last(stage(alone, Strategy.TOGETHER, "lb-a", "lb-b", "lb-c"), alone, force=False)


def test_a_plan_tells_that_its_first_nodes_would_not_be_changed(seed: Cluster, tmp_path: Path) -> None:
    """Not where a node was not looked at, or has just started: it may be able to take over."""
    after = cluster(tmp_path, GOOD.replace("roundrobin", "leastconn"))
    lb1 = observe(after, after.node("lb1"), holds=True, states=as_by(seed, "lb1"))
    lb2 = observe(after, after.node("lb2"))
    dead = survey(after, lb1, lb2=ConnectError("no answer"))
    (error,) = refused_at_once(dead, 10)
    assert error.message.startswith("no other node could take over while lb1 is changed")
    assert list(refused_at_once(survey(after, lb1), 10)) == []
    assert list(refused_at_once(survey(after, lb1, lb2), 10)) == []
    fault = KeepalivedState(FAULT_STATE, 100, 1.0)
    assert len(list(refused_at_once(survey(after, lb1, replace(lb2, keepalived=fault)), 10))) == 1
    young = {f"service {name}": running(since=lb2.now - 5) for name in ("haproxy", "keepalived")}
    waited_for = observe(after, after.node("lb2"), states=young, keepalived=fault)
    assert list(refused_at_once(survey(after, lb1, waited_for), 10)) == []


def test_a_node_that_is_not_to_be_changed_can_take_over(seed: Cluster) -> None:
    """With --limit the others are there all the same."""
    both = survey(seed, observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2")))
    one = replace(both, observations={"lb2": both.observations["lb2"]}, beside={"lb1": both.observations["lb1"]})
    refuse_the_last(stage(one, Strategy.AWAY, "lb2"), one, force=False)


def seen(of: Cluster, name: str, said: KeepalivedState, *, holds: bool = False, **changes: Any) -> Observation:
    return observe(of, of.node(name), holds=holds, keepalived=said, **changes)


def test_a_change_that_puts_a_node_into_fault_is_objected_to(tmp_path: Path) -> None:
    """Then it is undone; a node that was in this state before is not made worse."""
    of = with_options(tmp_path, OPTIONS.replace('mode = "multicast"', ""))
    well = [
        seen(of, "lb1", KeepalivedState("MASTER", 220, 1.0), holds=True),
        seen(of, "lb2", KeepalivedState("BACKUP", 120, 1.0)),
    ]
    ill = [well[0], seen(of, "lb2", KeepalivedState(FAULT_STATE, 100, 1.0))]
    stage = Stage(Strategy.RELOAD, {"lb2": plans(of, *well)["lb2"]}, "")
    plan = Plan(plans(of, *well), (stage,))
    bad = objections(plan, stage, survey(of, *well), survey(of, *ill), frozenset())
    assert [(each.node, each.check) for each in bad] == [("lb2", "track")]
    for before, after in ((well, well), (ill, ill), (ill, well)):
        assert objections(plan, stage, survey(of, *before), survey(of, *after), frozenset()) == []


def test_vips_that_other_nodes_do_not_reach_any_more_stop_the_run(tmp_path: Path) -> None:
    """The node itself asks past its rules, so the others are heard; only where it was changed who is let in."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    lb1, lb2 = found.nodes
    for state, expected in ((ServiceState(), True), (running(), False)):
        seen = observe(found, lb1, holds=True, states={f"service {FIREWALL_SERVICE}": state})
        plans = {"lb1": diff(desired(found, lb1), seen), "lb2": diff(desired(found, lb2), observe(found, lb2))}
        stage = Stage(Strategy.RELOAD, {"lb1": plans["lb1"]}, "")
        good = {"lb1": observe(found, lb1, holds=True), "lb2": observe(found, lb2)}
        silent = tuple(Answered(vip.ip, 6443, "") for vip in found.vips)
        bad = good | {"lb2": observe(found, lb2, answered=silent)}
        settled = {name: plan.only(lambda *_: False) for name, plan in plans.items()}
        before, after = (Survey(found, each, settled, {}) for each in (good, bad))
        said = objections(Plan(plans, (stage,)), stage, before, after, frozenset())
        assert any(each.node == "lb2" and each.check == "api" for each in said) == expected
