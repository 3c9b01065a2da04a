"""What is said of nodes whose tasks ended otherwise than they should, each after one that went well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError, RemoteError, RolledBackError
from lbdeploy.events import silent
from lbdeploy.node.drift import NodePlan, ResourceDiff
from lbdeploy.node.resources import Service
from lbdeploy.node.resources.base import Change
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.rollout.node_tasks import NodeTasks
from lbdeploy.rollout.progress import MARK
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.transaction import Task

WAITS, DONE, FAILED = "step start keepalived|await 30", "kept|exit 0", "step start keepalived|failed x|restored|exit 1"
UNDONE = "abandoned|restored|exit 1"
INSTALL = Change("package", "haproxy", "install", "is not installed")
START = Change("service", "keepalived", "start", "is not running")


class Session:
    """A node that says these lines, script by script."""

    def __init__(self, *said: str) -> None:
        self.said = list(said)

    def run(self, script: str, on_line: Callable[[str], None], limits: object) -> None:
        for line in self.said.pop(0).split("|"):
            on_line(f"{MARK} {line}")


class Pool:
    """The nodes' sessions."""

    def __init__(self, **sessions: Session) -> None:
        self.sessions = sessions

    def each(self, nodes: Sequence[Node], work: Callable[[Node, Any], object]) -> dict[str, object]:
        def result(node: Node) -> object:
            try:
                return work(node, self.sessions[node.name])
            except LbdeployError as error:
                return error

        return {node.name: result(node) for node in nodes}


def task(node: Node, *changes: Change, **how: Any) -> Task:
    return Task(NodePlan(node, (ResourceDiff(Service("keepalived"), ServiceState(), changes),)), **how)


def ending(seed: Cluster, pool: Pool, *begun: Mapping[str, Task], apart: bool = False) -> LbdeployError:
    """The error of a stage that begins these tasks, one group after another."""
    sessions: Any = pool
    tasks = NodeTasks(sessions, seed.nodes, Origin("id", "ann", ""), silent)

    def stage() -> None:
        with tasks.confirmed(apart=apart):
            for each in begun:
                tasks.begin(each)

    with pytest.raises(LbdeployError) as caught:
        stage()
    assert tasks.under_way == {}
    return caught.value


def test_a_node_keeps_what_it_did_before_a_task_that_it_has_undone(seed: Cluster) -> None:
    """In a new cluster: all but the start of keepalived. Not "as before", exit 1, and `up` does what is left."""
    lb1, lb2 = seed.nodes
    first = {"lb1": task(lb1, INSTALL, START, confirm=30), "lb2": task(lb2, INSTALL)}
    pool = Pool(lb1=Session(WAITS, UNDONE), lb2=Session(DONE, FAILED))
    error = ending(seed, pool, first, {"lb2": task(lb2, START, confirm=30)})
    assert (type(error), error.node) == (RemoteError, "lb2")
    kept = "lb2 keeps its change, but for: start keepalived"
    assert error.state == f"lb1 is as before; {kept}; packages that were installed stay"
    assert error.fix == "fix the cause, then: lbdeploy up"


def test_a_node_that_went_on_with_a_second_task_keeps_the_first_one(seed: Cluster) -> None:
    """What becomes of the second one is not known then."""
    lb1, lb2 = seed.nodes
    first = {"lb1": task(lb1, START, confirm=30), "lb2": task(lb2, Change("file", "/etc/x", "create", ""))}
    pool = Pool(lb1=Session(WAITS, UNDONE), lb2=Session(DONE, "step start keepalived"))
    error = ending(seed, pool, first, {"lb2": task(lb2, START, confirm=30)})
    assert (error.state or "").startswith("lb1 is as before; lb2 goes on by itself with: start keepalived")
    assert (error.state or "").endswith("; what it had done before stays")
    assert error.fix == "lbdeploy verify"


def test_those_on_whom_others_depend_are_undone_last(seed: Cluster) -> None:
    """A former holder has the VIPs again before the node that has taken them lets go."""
    asked: list[str] = []

    class Asked(Session):
        def run(self, script: str, on_line: Callable[[str], None], limits: object) -> None:
            asked.append(self.said[0])
            super().run(script, on_line, limits)

    pool = Pool(lb1=Asked(WAITS, f"step lb1|{UNDONE}"), lb2=Asked(WAITS, f"step lb2|{UNDONE}"), lb3=Session(FAILED))
    lb1, lb2 = seed.nodes
    lb3 = replace(lb2, name="lb3")
    begun = [
        {"lb1": task(lb1, START, confirm=30, linger=9)},
        {"lb2": task(lb2, START, confirm=30)},
        {"lb3": task(lb3, START)},
    ]
    error = ending(replace(seed, nodes=(lb1, lb2, lb3)), pool, *begun, apart=True)
    assert isinstance(error, RolledBackError)
    assert asked[2:] == [f"step lb2|{UNDONE}", f"step lb1|{UNDONE}"]


READY = "step reload haproxy|ready 900"


def test_nodes_that_must_agree_go_on_once_all_are_ready(seed: Cluster) -> None:
    """Each is told so then, and says anew for how long it waits."""
    sessions: Any = Pool(lb1=Session(READY, WAITS), lb2=Session(READY, WAITS))
    tasks = NodeTasks(sessions, seed.nodes, Origin("id", "ann", ""), silent)
    tasks.begin({node.name: task(node, START, confirm=30, together=True) for node in seed.nodes})
    waits = [work.progress for work in tasks.under_way.values()]
    assert [(each.ready, each.waits, each.awaiting) for each in waits] == [(True, True, None)] * 2
    tasks.go_on()
    assert [(each.ready, each.waits, each.awaiting) for each in waits] == [(False, True, 30)] * 2
    tasks.go_on()  # nobody is only ready any more


def test_a_node_that_is_ready_is_told_to_undo_where_its_peer_is_not(seed: Cluster) -> None:
    lb1, lb2 = seed.nodes
    pool = Pool(lb1=Session(READY, UNDONE), lb2=Session(FAILED))
    error = ending(seed, pool, {node.name: task(node, START, confirm=30, together=True) for node in (lb1, lb2)})
    assert (type(error), error.node, error.state) == (RolledBackError, "lb2", "lb1 and lb2: as before")


def test_a_rehearsal_leaves_nothing_behind(seed: Cluster) -> None:
    lb1, lb2 = seed.nodes
    pool = Pool(lb1=Session("exit 0", WAITS, UNDONE), lb2=Session("exit 0", FAILED))
    rehearsed = {node.name: task(node, START, rehearsal=True) for node in seed.nodes}
    error = ending(seed, pool, rehearsed, {node.name: task(node, START, confirm=30) for node in (lb1, lb2)})
    assert (type(error), error.state) == (RolledBackError, "lb1 and lb2: as before")


def test_whoever_keeps_its_change_is_named_also_where_nothing_else_is_left_to_undo(seed: Cluster) -> None:
    """The node that failed has said how it is; the other one had nothing to wait for."""
    lb1, lb2 = seed.nodes
    pool = Pool(lb1=Session(FAILED), lb2=Session(DONE))
    error = ending(seed, pool, {"lb1": task(lb1, INSTALL, START, confirm=30), "lb2": task(lb2, INSTALL)})
    own = "lb1: its files and services are as before; packages that were installed stay"
    assert (type(error), error.node, error.state) == (RemoteError, "lb1", f"{own}; lb2 keeps its change")
