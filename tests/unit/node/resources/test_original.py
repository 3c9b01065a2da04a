"""What was on a node before lbdeploy, and how it comes back."""

from __future__ import annotations

import base64

import pytest
from removals import ABSENT, OFF, RUNS, file_state

from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.original import (
    Content,
    OriginalFile,
    OriginalFileState,
    OriginalService,
    OriginalSysctl,
    Unit,
)

CONF = OriginalFile("/etc/haproxy/haproxy.cfg")


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (file_state(was="theirs"), "restore"),
        (file_state(), "remove"),
        (file_state("unknown"), "remove"),
        (file_state("none"), None),
        (file_state(now="same", was="same"), None),
    ],
)
def test_a_file_becomes_what_it_was(state: OriginalFileState, action: str | None) -> None:
    """Where lbdeploy is not, nothing is touched; where nothing is known, what is ours goes."""
    assert [change.action for change in CONF.compare(state, ())] == ([action] if action else [])


def test_what_a_node_says_of_a_file_is_read() -> None:
    """A link is compared by its goal, a file by content, mode and owner."""
    text = base64.b64encode(b"a\n\xff").decode()
    state = CONF.read(Answer(f"known\nfile 640,root:haproxy {text}\n/kept\nlink - {text}\n"))
    assert (state.record, state.source, state.now.kind, state.was.kind) == ("known", "/kept", "file", "link")
    assert (state.now.attributes, state.now.content) == ("640,root:haproxy", "a\n\udcff")
    assert CONF.read(Answer("none\nmissing - -\n/kept\nmissing - -\n")).now == Content()
    assert CONF.read(Answer("")).record == "none"


@pytest.mark.parametrize(
    ("now", "was", "actions"),
    [
        (RUNS, ABSENT, ["stop", "disable"]),
        (RUNS, OFF, ["stop", "disable"]),
        (RUNS, Unit("loaded", "inactive", "enabled"), ["stop"]),
        (RUNS, Unit("masked", "inactive", "masked"), ["stop", "mask"]),
        (RUNS, RUNS, ["restart"]),
        (OFF, RUNS, ["start", "enable"]),
        (OFF, ABSENT, []),
        (ABSENT, RUNS, []),
    ],
)
def test_a_service_becomes_what_it_was(now: Unit, was: Unit, actions: list[str]) -> None:
    """One that was not there does not run; one that ran is restarted for its old file; one that is gone is let be."""
    service = OriginalService("haproxy", reads=(CONF.path,))
    assert [change.action for change in service.compare((now, was), {CONF.path})] == actions


@pytest.mark.parametrize(("now", "actions"), [(RUNS, ["stop", "disable"]), (OFF, [])])
def test_a_service_of_which_others_serve_what_it_did_rests(now: Unit, actions: list[str]) -> None:
    """Though it ran, and was enabled."""
    service = OriginalService("keepalived", reads=(CONF.path,), rests=True)
    changes = service.compare((now, RUNS), {CONF.path})
    assert [change.action for change in changes] == actions
    assert {change.reason for change in changes} <= {"what it served before lbdeploy is served by other nodes"}


def test_what_a_node_says_of_services_and_settings_is_read() -> None:
    """Where nothing is remembered they stay as they are, unless they are known to be lbdeploy's."""
    now = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
    service, sysctl = OriginalService("haproxy"), OriginalSysctl("a.b", "/etc/c")
    assert service.read(Answer(f"none\n{now}was\n")) == (RUNS, RUNS)
    assert service.read(Answer(f"known\n{now}was\nLoadState=not-found\n")) == (RUNS, ABSENT)
    assert service.read(Answer(f"unknown\n{now}was\n")) == (RUNS, ABSENT)
    assert [sysctl.read(Answer(text)) for text in ("none\n1\n0\n", "known\n1\n0\n", "known\n1\n")] == [
        ("1", "1"), ("1", "0"), ("1", "1")
    ]  # fmt: skip
