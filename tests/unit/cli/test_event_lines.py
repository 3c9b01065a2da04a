"""Events as documents for programs."""

from __future__ import annotations

from lbdeploy.cli.event_lines import as_document
from lbdeploy.events import Done, Note, RemoteCommand, Step


def test_what_people_are_told_is_a_document_each() -> None:
    """With its kind, its node and its text; only what has ended says how."""
    told = [as_document(each) for each in (Step("lb1", "reload\nx"), Done("lb1", "failed", ok=False), Note(None, "y"))]
    assert [(each["event"], each["node"], each["text"], each.get("ok")) for each in told] == [
        ("step", "lb1", "reload\nx", None), ("done", "lb1", "failed", False), ("note", None, "y", None),
    ]  # fmt: skip


def test_scripts_are_for_the_log() -> None:
    """They are long, and say nothing to a program that follows a run."""
    assert as_document(RemoteCommand("lb1", "sh -s", "true", "", 0.1, 0)) == {}
