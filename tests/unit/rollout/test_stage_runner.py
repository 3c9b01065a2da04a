"""How long nodes wait for the confirmation of a stage, and are waited for before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from builders import NOW, as_by, cluster, links, observe, plans, running, stopped, survey
from goldens import GROUPS, SEED

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import AnswerError, ConnectError, LbdeployError
from lbdeploy.events import silent
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import FAULT_STATE, Observation
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.stage_runner import StageChange, StageRunner, confirm_seconds
from lbdeploy.rollout.survey import Survey
from lbdeploy.rollout.transaction import Task


@dataclass
class Begun:
    """Stands for the nodes' tasks: what was begun, in order."""

    tasks: list[Mapping[str, Task]] = field(default_factory=list)
    watching: list[str] = field(default_factory=list)

    @contextmanager
    def confirmed(self, *, apart: bool) -> Iterator[None]:
        yield

    def watch(self, scripts: Mapping[str, str]) -> None:
        self.watching += scripts

    def begin(self, tasks: Mapping[str, Task]) -> None:
        self.tasks.append(tasks)


@pytest.fixture
def seed() -> Cluster:
    return reader.load(SEED)


def begin(cluster: Cluster) -> list[Mapping[str, Task]]:
    """The tasks of a stage that sets up a new cluster."""
    tasks = Begun()
    seen = [observe(cluster, node) for node in cluster.nodes]
    stage = Stage(Strategy.BEGIN, plans(cluster, *seen), "")
    change = StageChange(Plan({}, (stage,)), stage, survey(cluster, *seen), Wanted({}, frozenset()))
    StageRunner(cluster, cast("Any", tasks), cast("Any", None), silent).perform(change)
    return tasks.tasks


def test_a_node_waits_until_the_cluster_may_have_settled_and_a_connection_was_made(seed: Cluster) -> None:
    """With the usual timers for half a minute; longer where hosts.toml grants connections more."""
    assert confirm_seconds(seed) == 33
    patient = replace(seed, ssh=replace(seed.ssh, connect_timeout=60.0))
    assert confirm_seconds(patient) == 33 + 50
    hasty = replace(seed, ssh=replace(seed.ssh, connect_timeout=2.0))
    assert confirm_seconds(hasty) == 33


def test_the_first_of_a_new_cluster_also_waits_while_the_others_start(seed: Cluster) -> None:
    """The preferred node starts keepalived before the others, and its wait begins then."""
    together, rest = begin(seed)
    assert together["lb1"].confirm == 2 * confirm_seconds(seed)
    assert together["lb2"].confirm == 0
    assert rest["lb2"].confirm == confirm_seconds(seed)


@dataclass
class Waits:
    """Stands for the observer: how the nodes are once one of them was waited for, and nothing after that."""

    then: Survey
    names: Sequence[str] = ()

    def until_able(self, wanted: Wanted, names: Sequence[str]) -> Survey:
        self.names = names
        return self.then

    def look(self, _: Wanted) -> Survey:
        return self.then

    def until_holding(self, *_: Any) -> bool:
        raise ConnectError("the end of the test")

    def until_settled(self, *_: Any) -> Survey:
        raise ConnectError("the end of the test")


def reload_holder(cluster: Cluster, then: Survey, **standby: Any) -> tuple[Waits, Begun]:
    """A change of the holder, while the standby is as told; and then the nodes are as in a survey."""
    seen = [observe(cluster, cluster.node("lb1"), holds=True), observe(cluster, cluster.node("lb2"), **standby)]
    stage = Stage(Strategy.RELOAD, {"lb1": plans(cluster, *seen)["lb1"]}, "")
    change = StageChange(Plan({}, (stage,)), stage, survey(cluster, *seen), Wanted({}, frozenset()))
    tasks, waits = Begun(), Waits(then)
    with pytest.raises(LbdeployError, match=r"the end of the test|no other node could take over"):
        StageRunner(cluster, cast("Any", tasks), cast("Any", waits), silent).perform(change)
    return waits, tasks


def test_a_node_that_has_just_started_gets_the_time_to_be_able_to_take_over(seed: Cluster) -> None:
    """Then the holder is changed; not where that node still can't, nor where it started long ago."""
    fault = KeepalivedState(state=FAULT_STATE)
    young = {"states": {"service keepalived": running(since=NOW - 3)}, "keepalived": fault}
    well = survey(seed, *(observe(seed, node) for node in seed.nodes))
    ill = survey(seed, observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2"), keepalived=fault))
    waits, tasks = reload_holder(seed, well, **young)
    assert waits.names == ["lb2"]
    assert [list(each) for each in tasks.tasks] == [["lb1"]]
    waits, tasks = reload_holder(seed, ill, **young)
    assert (waits.names, tasks.tasks) == (["lb2"], [])
    waits, tasks = reload_holder(seed, well, keepalived=fault)
    assert (waits.names, tasks.tasks) == ((), [])


@pytest.mark.parametrize(("router_id", "first"), [(101, "lb2"), (102, "lb1")])
def test_an_election_begins_on_who_does_not_hold_the_vips_of_its_group_now(
    tmp_path: Path, router_id: int, first: str
) -> None:
    """Which may be the preferred node, or one that holds other VIPs: lb1 has k8s-api, and lb2 ingress_2, by now."""
    before = cluster(tmp_path, GROUPS)
    after = cluster(tmp_path, GROUPS.replace(f"router_id = {router_id}", "router_id = 103"))

    def looked(*groups: str) -> Survey:
        seen = [
            observe(after, node, states=as_by(before, node.name), links=links(after.part(group), node, holds=True))
            for node, group in zip(after.nodes, groups, strict=True)
        ]
        return survey(after, *seen)

    was, now = looked("ingress_2", "k8s-api"), looked("k8s-api", "ingress_2")
    stage = was.plan.stages[-1]
    assert stage.way is Strategy.REELECT
    tasks, change = Begun(), StageChange(was.plan, stage, was, Wanted({}, frozenset()), back=True)
    with pytest.raises(ConnectError, match="the end of the test"):
        StageRunner(after, cast("Any", tasks), cast("Any", Waits(now)), silent).perform(change)
    rehearsed, begun = tasks.tasks
    assert set(rehearsed) == {"lb1", "lb2"}
    assert [(name, task.linger > 0, len(task.without)) for name, task in begun.items()] == [(first, True, 2)]
    assert tasks.watching == [name for name in ("lb1", "lb2") if name != first]  # to announce, should the other one die


def joining(
    cluster: Cluster, scope: set[str], seen: Sequence[Observation], lost: Mapping[str, LbdeployError]
) -> Survey:
    """The nodes, of which a run is to change only those in `scope`."""
    known = {each.node.name: each for each in seen}
    return Survey(
        cluster,
        {name: each for name, each in known.items() if name in scope},
        plans(cluster, *seen),
        {name: error for name, error in lost.items() if name in scope},
        {name: each for name, each in known.items() if name not in scope},
        {name: error for name, error in lost.items() if name not in scope},
    )


@pytest.mark.parametrize(("scope", "holds"), [({"lb2"}, True), ({"lb1", "lb2"}, True), ({"lb1", "lb2"}, False)])
def test_a_node_that_joins_stays_where_it_alone_has_the_vips(seed: Cluster, scope: set[str], holds: bool) -> None:
    """The holder has died meanwhile, whether it was to be changed or not: undone, nobody would serve."""
    idle = {"service keepalived": stopped(), "service haproxy": stopped()}
    new = observe(seed, seed.node("lb2"), states=idle, haproxy_answers=False, servers=(), own={}, answered=())
    before = joining(seed, scope, [observe(seed, seed.node("lb1"), holds=True), new], {})
    after = joining(seed, scope, [observe(seed, seed.node("lb2"), holds=holds)], {"lb1": ConnectError("no answer")})
    (stage,) = before.plan.stages
    assert (stage.way, stage.names) == (Strategy.RELOAD, ("lb2",))
    change = StageChange(before.plan, stage, before, Wanted({}, frozenset(scope)))
    runner = StageRunner(seed, cast("Any", Begun()), cast("Any", Settled(after)), silent)
    with nullcontext() if holds else pytest.raises(LbdeployError):
        runner.perform(change)


@dataclass
class Settled:
    """Stands for the observer: how the nodes are after a stage."""

    then: Survey

    def until_settled(self, *_: Any) -> Survey:
        return self.then


@pytest.mark.parametrize("way", [Strategy.RELOAD, Strategy.AWAY])
def test_a_node_that_answers_no_more_after_the_stage_before_is_not_begun_on(seed: Cluster, way: Strategy) -> None:
    """Its own error says why."""
    seen = [observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2"))]
    stage = Stage(way, {"lb1": plans(seed, *seen)["lb1"]}, "")
    between = survey(seed, seen[1], lb1=AnswerError("the script did not run to its end", node="lb1"))
    tasks = Begun()
    change = StageChange(Plan({}, (stage,)), stage, between, Wanted({}, frozenset()))
    with pytest.raises(AnswerError):
        StageRunner(seed, cast("Any", tasks), cast("Any", None), silent).perform(change)
    assert not tasks.tasks
