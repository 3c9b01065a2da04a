"""What is claimed of the nodes of a stage that went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from builders import SEED

from lbdeploy.config import reader
from lbdeploy.config.model import Node
from lbdeploy.errors import LostError, RemoteError, RolledBackError
from lbdeploy.events import silent
from lbdeploy.node.drift import NodePlan
from lbdeploy.rollout.node_tasks import NodeTask
from lbdeploy.rollout.outcome import outcome, state_of, taken_back, told, worst
from lbdeploy.rollout.progress import MARK
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.transaction import Task


@dataclass
class Told:
    """What a node has said so far."""

    lines: str
    told_to_keep: bool = False


UNDONE = "await 30|abandoned|restored|exit 1"


def work(name: str, told: Told) -> NodeTask:
    node: Node = reader.load(SEED).node(name)
    made = NodeTask(node, Task(NodePlan(node, ()), ()), Origin("1", "ann", ""), silent)
    for line in told.lines.split("|"):
        made.progress.line(f"{MARK} {line}")
    made.told_to_keep = told.told_to_keep
    return made


KEPT = "await 30|confirmed|kept|agree 300"


@pytest.mark.parametrize("lines", [UNDONE, "failed x|exit 1", f"{KEPT}|undoing|restored|exit 1"])
def test_only_nodes_that_say_so_are_as_before(lines: str) -> None:
    """Restored, or not even touched: then the run is undone, exit 7."""
    error = outcome(RemoteError("x", node="lb1"), [work("lb1", Told(UNDONE)), work("lb2", Told(lines))])
    assert isinstance(error, RolledBackError)
    assert error.state == "lb1 and lb2: as before"


@pytest.mark.parametrize(
    ("told", "state", "fix"),
    [
        (Told("await 30|confirmed|kept|exit 0"), "lb2 keeps its change", "fix the cause, then: lbdeploy up"),
        (Told("await 30|unrestored|exit 1"), "not everything could be put back on lb2", "lbdeploy plan"),
        (Told(KEPT), "unless it finds that a peer has undone it", "lbdeploy verify"),
        (Told("await 30", told_to_keep=True), "whether it has heard that is not known", "lbdeploy verify"),
        (Told("await 30"), "lb2 undoes its change by itself, within seconds", "lbdeploy verify"),
        (Told("await 30|outrun bob"), "lb2 is in another run's hands: bob", "lbdeploy verify"),
        (Told("locked bob"), "lb2 is in another run's hands: bob", "lbdeploy verify"),
        (Told("step reload haproxy"), "lb2 goes on by itself with: reload haproxy", "lbdeploy verify"),
        (Told("await 30|undoing"), "lb2 undoes its change by itself", "lbdeploy verify"),
    ],
)
def test_otherwise_each_nodes_state_is_told(told: Told, state: str, fix: str) -> None:
    """No news is never "undone": exit 1."""
    other = work("lb2", told)
    error = outcome(RolledBackError("x", node="lb1"), [work("lb1", Told(UNDONE)), other])
    assert type(error) is RemoteError
    assert error.state == f"lb1 is as before; {state_of(other)}"
    assert state in error.state
    assert error.fix == fix


def test_the_worst_error_is_told() -> None:
    """What could not be undone comes before what could."""
    undone, lost = RolledBackError("a"), LostError("b")
    assert worst([undone, None, lost]) is lost
    assert worst([None]) is None


FAILED = RolledBackError("x", node="lb1", state="its files and services are as before")


def test_a_run_that_was_undone_on_all_its_nodes_says_so() -> None:
    """Those of earlier stages, and those of the last one, whether it has one node or several."""
    assert taken_back(FAILED, (), (), ()) is FAILED
    assert taken_back(FAILED, ("lb2",), (), ()).state == "lb2 and lb1: as before"
    both = RolledBackError("x", node="lb1", state="lb1 and lb2: as before")
    error = taken_back(both, ("lb3",), (), ())
    assert (type(error), error.state) == (RolledBackError, "lb3 and lb1 and lb2: as before")


def test_a_node_of_several_stages_is_named_once() -> None:
    """Its last one it has undone itself, an earlier one was undone then."""
    assert taken_back(FAILED, ("lb2", "lb1"), (), ()).state == "lb2 and lb1: as before"
    both = RolledBackError("x", node="lb1", state="lb1 and lb2: as before")
    assert taken_back(both, ("lb2",), (), ()).state == "lb2 and lb1: as before"


def test_a_run_that_was_not_undone_everywhere_is_not_called_undone() -> None:
    """A node that is new keeps what it got, and one that was lost is not known: exit 1, with the state of each."""
    error = taken_back(FAILED, (), ("lb3",), ["lb3 is as hosts.toml says"])
    assert (type(error), error.exit_code) == (RemoteError, 1)
    assert error.state == "lb1: as before; lb3 is as hosts.toml says"
    lost = LostError("the connection was lost", node="lb2", state="a change that had begun goes on by itself")
    states = told(lost, ["lb2", "lb3"])
    assert states == [
        "lb2 was to undo its change, too: the connection was lost; a change that had begun goes on by itself",
        "lb3 keeps its change",
    ]
    assert told(RemoteError("y", node="lb9"), ["lb2", "lb3"]) == ["lb2 and lb3 keep their change"]
