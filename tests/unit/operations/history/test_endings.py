"""The last line of a log."""

from __future__ import annotations

from lbdeploy.operations.history.endings import line, read

DOCUMENT = {
    "format_version": 1,
    "command": "up",
    "exit_code": 6,
    "changes": [{"node": "lb1", "name": "/etc/x", "action": "update", "diff": "secret"}],
    "findings": [{"detail": "long"}],
    "drills": [{"kind": "hang", "outage_ms": 5, "views": []}],
    "error": {"node": "lb1", "message": "not healthy"},
}


def test_it_has_what_history_tells_and_no_more() -> None:
    """Neither diffs nor findings."""
    assert read(line(DOCUMENT)) == {
        "command": "up",
        "exit_code": 6,
        "changes": [["lb1", "update /etc/x"]],
        "drills": [{"kind": "hang", "outage_ms": 5}],
        "error": "lb1: not healthy",
    }


def test_a_line_that_was_cut_is_none() -> None:
    """As where a secret in it was hidden."""
    assert read(line(DOCUMENT)[:-5]) == {}
    assert read("ended: []") == {}
