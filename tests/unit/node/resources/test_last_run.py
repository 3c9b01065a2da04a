"""A run that was interrupted, as its journal tells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from builders import steps_of

from lbdeploy.node.resources import Journal
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.last_run import JournalState, begun_meanwhile

JOURNAL = """\
run 20261123T092201.123Z
about ann@laptop (process 7), since 2026-11-23 09:22:01 UTC: lbdeploy up
boot 5a6b
staged /etc/haproxy/haproxy.cfg.lbdeploy-new
step write the files
step reload haproxy
"""


@pytest.mark.parametrize(
    ("output", "state", "changes"),
    [
        ("inactive\n" + JOURNAL + "exit 0\n", JournalState(ended=True), []),
        ("inactive\n" + JOURNAL + "restored\nexit 1\n", JournalState(ended=True), []),
        ("active\n" + JOURNAL, JournalState(ended=False, active=True), []),
        ("activating\n" + JOURNAL, JournalState(ended=False, active=True), []),
        (
            "inactive\n" + JOURNAL,
            JournalState(ended=False),
            ["was interrupted at: reload haproxy (a run of ann@laptop (process 7), since 2026-11-23 09:22:01 UTC: "
             "lbdeploy up)"],
        ),
    ],
)  # fmt: skip
def test_a_run_that_did_not_come_to_its_end_is_to_be_repaired(
    output: str, state: JournalState, changes: list[str]
) -> None:
    """Good or bad, an end is an end; and a run that still goes on is nobody else's matter."""
    found = Journal().read(Answer(output))
    assert (found.run, found.step) == ("20261123T092201.123Z", "reload haproxy")
    assert (found.ended, found.active) == (state.ended, state.active)
    assert [change.reason for change in Journal().compare(found, ())] == changes
    assert all((each.kind, each.action) == ("service", "repair") for each in Journal().compare(found, ()))


@pytest.mark.parametrize("there", [True, False])
def test_systemd_is_asked_of_a_unit_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    """systemd 252 writes an error to the node's journal for one whose file has gone."""
    monkeypatch.setattr("lbdeploy.node.resources.last_run.TRANSIENT_UNITS_FOLDER", str(tmp_path))
    if there:
        (tmp_path / "lbdeploy.service").touch()
    probe = f'systemctl() {{ [ "$*" = "is-active lbdeploy.service" ] && echo active; }}\n{Journal().probe()}'
    told = subprocess.run(["sh", "-c", probe], capture_output=True, text=True, check=False).stdout
    assert Journal().read(Answer(told)).active is there
    assert told.startswith("active\n" if there else "\n")


@pytest.mark.parametrize("output", ["", "inactive\n", "inactive\n\n", "unknown\ngarbage\n", "inactive"])
def test_where_there_was_no_run_none_was_interrupted(output: str) -> None:
    """A node that has no journal yet, or an empty one."""
    state = Journal().read(Answer(output, 1))
    assert (state.run, state.ended) == ("", True)
    assert Journal().compare(state, ()) == []
    assert steps_of(Journal(), state) == ""


def test_a_run_that_got_no_further_than_its_beginning_was_interrupted_too() -> None:
    """The first lines of a journal name no step yet."""
    state = Journal().read(Answer("inactive\nrun 1\nabout ann\n"))
    assert (state.ended, state.step) == (False, "begin")


@pytest.mark.parametrize(
    ("state", "words", "undecided"),
    [
        ("active", "", True),
        ("active", "kept\n", False),  # it stays, and watches whether its peers keep it, too
        ("active", "kept\nundoing\n", True),
        ("active", "kept\nexit 0\n", False),
        ("inactive", "", False),
    ],
)
def test_a_change_is_undecided_until_the_node_keeps_it(state: str, words: str, *, undecided: bool) -> None:
    """See agree.sh for the words."""
    assert Journal().read(Answer(f"{state}\n{JOURNAL}{words}")).undecided is undecided


@pytest.mark.parametrize(
    ("first", "last", "undecided"),
    [
        ("inactive\n" + JOURNAL + "exit 0\n", JOURNAL + "exit 0\n", False),
        ("inactive\nrun 1\nexit 0\n", JOURNAL, True),
        ("inactive\nrun 1\nexit 0\n", JOURNAL + "exit 0\n", True),  # and has ended
        ("inactive\n" + JOURNAL + "exit 0\n", JOURNAL, True),  # its rehearsal, and then the change
        ("inactive\n", JOURNAL, True),  # the first run of all
        ("active\n" + JOURNAL + "await 30\n", JOURNAL + "await 30\nconfirmed\nkept\n", True),
        ("active\n" + JOURNAL + "await 30\nconfirmed\nkept\n", JOURNAL + "await 30\nconfirmed\nkept\nexit 0\n", False),
    ],
)
def test_a_run_that_begins_while_a_node_is_looked_at_is_in_the_middle_of_its_change(
    first: str, last: str, undecided: bool
) -> None:
    """Files were looked at before, and addresses since; one that was under way is as it was at first."""
    at_first = Answer(first)
    found = begun_meanwhile(Journal().read(at_first), at_first, Answer(last))
    assert found.undecided == undecided
    assert Journal().compare(found, ()) == []
