"""One story of what several nodes and this machine remember."""

from __future__ import annotations

from typing import Any

from pasts import CONF, FIRST, ME, ROLLBACK, SECOND, UP, T, remembered, session

from lbdeploy.operations.generations import Generation
from lbdeploy.operations.history.event import PastEvent
from lbdeploy.operations.history.node import Past
from lbdeploy.operations.history.story import story


def told(*events: PastEvent) -> list[tuple[str, str, str]]:
    return [(each.kind, each.who, each.id) for each in events]


def test_a_run_on_several_nodes_is_one_event() -> None:
    """With who ran it, where, and which files it changed."""
    up, rollback = story({"lb1": remembered(), "lb2": remembered()}, [], ME)
    assert told(up, rollback) == [("up", ME, UP), ("rollback", "bob@desk", ROLLBACK)]
    assert up.nodes == ("lb1", "lb2")
    assert rollback.changed == (("lb1", CONF), ("lb2", CONF))


def test_lbdeploys_own_records_are_no_changes() -> None:
    """Some generations have them, and some do not."""
    record = {"/var/lib/lbdeploy/haproxy-servers": "1"}
    assert remembered(files={UP: {}, ROLLBACK: record, "": {}}).changed(UP) == []


def test_ones_own_run_is_told_with_how_it_ended() -> None:
    """The log of this machine and the nodes' records are of the same process: one event."""
    up, _ = story({"lb1": remembered()}, [session(T, "lbdeploy up", exit_code=6, error="lb1: not healthy")], ME)
    assert (up.id, up.ended["exit_code"], up.ended["error"]) == (UP, 6, "lb1: not healthy")


def test_another_process_of_the_same_number_is_another_run() -> None:
    """Numbers come again."""
    events = story({"lb1": remembered()}, [session(T - 86400, "lbdeploy up")], ME)
    assert [each.at for each in events] == [T - 86400, T + 1, T + 601]


def test_runs_are_in_the_order_in_which_nodes_counted_them() -> None:
    """Also where the clock of the second operator was a day behind."""
    early = "20261128T175000.000Z"
    past = remembered(
        generations=[Generation(early, SECOND, "", {}, 2), Generation(UP, FIRST, "", {}, 1)],
        files={UP: {}, early: {}, "": {}},
        started=[],
    )
    assert [each.id for each in story({"lb1": past, "lb2": past}, [], ME)] == [UP, early]


def test_what_the_nodes_have_no_record_of_comes_from_this_machine() -> None:
    """Drills and handovers, with their cost."""
    drill = session(T + 100, "lbdeploy drill haproxy", outage_ms=711, **{"from": "lb1", "to": "lb2"})
    (event,) = (each for each in story({"lb1": remembered()}, [drill], ME) if each.kind == "drill")
    assert (event.nodes, event.to_json()["outage_ms"], event.who) == (("lb1", "lb2"), 711, ME)


def test_a_drill_from_elsewhere_is_known_by_what_it_armed() -> None:
    """Once; one's own is not told twice."""
    own = session(T + 100, "lbdeploy drill haproxy")
    pasts = {"lb1": remembered(drills=[T + 105, T + 300])}
    drills = [each for each in story(pasts, [own], ME) if each.kind == "drill"]
    assert [(each.at, each.who, each.nodes) for each in drills] == [(T + 100, ME, ()), (T + 300, "", ("lb1",))]


def test_moves_are_told_with_what_they_came_of() -> None:
    """A command's, or nobody's; a node that becomes MASTER again has taken nothing over."""
    states: dict[str, Any] = {
        "lb1": remembered(
            states=[
                (T - 50, "MASTER", "VI"),
                (T + 110, "FAULT", "VI"),
                (T + 130, "MASTER", "VI"),
                (T + 140, "MASTER", "VI"),
            ]
        ),
        "lb2": Past(
            states=[
                (T - 60, "BACKUP", "VI"),
                (T + 111, "MASTER", "VI"),
                (T + 129, "BACKUP", "VI"),
                (T + 5000, "MASTER", "VI"),
            ]
        ),
    }
    events = story(states, [session(T + 100, "lbdeploy drill haproxy", seconds=40)], ME)
    moves = [(each.former, each.to, each.during) for each in events if each.kind == "move"]
    assert moves == [
        ("", "lb1", ""),
        ("lb1", "lb2", "lbdeploy drill haproxy"),
        ("lb2", "lb1", "lbdeploy drill haproxy"),
        ("lb1", "lb2", ""),
    ]
    assert [each.moves for each in events if each.kind == "drill"] == [2]


DAY = 86400.0


def test_a_run_ends_on_the_nodes_that_took_part() -> None:
    """What another node did on a later day is no end of it, so failovers until then are nobody's doing."""
    only_lb1 = Past(
        started=[(T, FIRST)], ended=[T + 30], states=[(T - 50, "MASTER", "VI"), (T + 3 * DAY, "MASTER", "VI")]
    )
    other = Past(started=[(T + 4 * DAY, SECOND)], ended=[T + 4 * DAY + 20], states=[(T + 2 * DAY, "MASTER", "VI")])
    events = story({"lb1": only_lb1, "lb2": other}, [], ME)
    assert [(each.until, each.moves) for each in events if each.kind != "move"] == [(T + 30, 0), (T + 4 * DAY + 20, 0)]
    assert [each.during for each in events if each.kind == "move"] == ["", "", ""]


def test_a_run_of_several_stages_ends_with_its_last_one() -> None:
    """One whose end is not in the journal, as after a power cut, does not end with the next run."""
    past = Past(
        started=[(T, FIRST), (T + 60, FIRST), (T + DAY, SECOND), (T + 2 * DAY, FIRST.replace("up", "down"))],
        ended=[T + 30, T + 90, T + 2 * DAY + 9],
    )
    assert [each.until for each in story({"lb1": past}, [], ME)] == [T + 90, T + DAY, T + 2 * DAY + 9]


def test_documents_leave_out_what_is_not_known() -> None:
    """And have what programs need: a time with its zone, the id that rollback takes."""
    (up, *_) = story({"lb1": remembered()}, [], ME)
    document = up.to_json()
    assert (document["at"], document["run"], document["command"]) == (
        "2026-11-29T17:40:01.000+00:00",
        UP,
        "lbdeploy up",
    )
    assert "exit_code" not in document
