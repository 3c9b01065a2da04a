"""The rows of `history`."""

from __future__ import annotations

from pasts import ME, T, session

from lbdeploy.cli.report.history.text import changed, costs, row, what
from lbdeploy.operations.history.event import PastEvent
from lbdeploy.operations.history.story import story


def test_a_drill_is_told_with_its_cost() -> None:
    """Beside what was predicted."""
    ended = {"kind": "haproxy", "outage_ms": 711, "expected_ms": 709}
    (event,) = story({}, [session(T, "lbdeploy drill haproxy", **ended)], ME)
    _, typed, who, touched, cost = row(event)
    assert (typed, who, touched) == ("lbdeploy drill haproxy", ME, "nothing")
    assert cost == "done; haproxy: outage 0.711 s (predicted: 0.709 s)"


def test_several_drills_and_failures_are_told() -> None:
    """Each drill; and why a command failed."""
    drills = [{"kind": "hang", "outage_ms": 0}, {"kind": "power", "outage_ms": 3000}]
    event = PastEvent(T, "drill", ended={"exit_code": 6, "error": "too long", "drills": drills}, moves=1)
    assert list(costs(event)) == [
        "exit code 6: too long", "hang: no outage", "power: outage 3 s", "VIPs moved 1 time",
    ]  # fmt: skip


def test_moves_say_where_from_and_why() -> None:
    """Also where no command is known for it."""
    move = PastEvent(T, "move", to="lb2", former="lb1", during="lbdeploy up")
    assert (what(move), changed(move)) == ("VIPs move from lb1 to lb2", "during lbdeploy up")
    assert changed(PastEvent(T, "move", to="lb2")) == "by no command that is known"


def test_changes_are_counted_by_node() -> None:
    """Nodes with as many are named together."""
    event = PastEvent(T, "up", changed=(("lb1", "a"), ("lb2", "a"), ("lb3", "a"), ("lb3", "b")))
    assert changed(event) == "lb1 and lb2: 1 change; lb3: 2 changes"
