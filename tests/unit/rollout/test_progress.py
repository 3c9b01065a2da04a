"""What is read of an applying script, and what went wrong with it, if anything did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.errors import (
    LbdeployError,
    LockedError,
    LostError,
    RebootedError,
    RemoteError,
    RolledBackError,
)
from lbdeploy.node.drift import NodePlan, ResourceDiff
from lbdeploy.node.resources import Service
from lbdeploy.node.resources.base import Change
from lbdeploy.rollout.progress import MARK, Progress, locked


def told(lines: str, changes: tuple[Change, ...] = ()) -> tuple[Progress, list[str], LbdeployError | None]:
    steps: list[str] = []
    progress = Progress("lb1", steps.append)
    for line in lines.replace("@@", MARK).splitlines():
        progress.line(line)
    part = ResourceDiff(Service("haproxy"), None, changes)
    return progress, steps, progress.error(NodePlan(None, (part,)))  # type: ignore[arg-type]


def test_a_run_that_ends_well_tells_its_steps() -> None:
    """Each step is told as it begins; what else is said does no harm."""
    progress, steps, error = told("@@ step write the files\nhello\n@@ step start haproxy\n@@ exit 0\n")
    assert (steps, progress.output, error) == (["write the files", "start haproxy"], ["hello"], None)


def test_a_node_that_another_run_is_changing_is_locked() -> None:
    """The error names the other run, and says that nothing was changed here."""
    _, _, error = told("@@ locked lbdeploy: ann@laptop (process 7), since Mon 2026-11-23 05:16:01 UTC\n")
    assert isinstance(error, LockedError)
    assert error.exit_code == 5
    assert "ann@laptop (process 7)" in error.message
    assert (error.node, error.state) == ("lb1", "nothing was changed")


def test_a_run_that_ends_without_a_word_is_lost() -> None:
    """Without an exit line nobody knows what state the node is in."""
    _, _, error = told("@@ step start haproxy\nsomething\n")
    assert isinstance(error, LostError)
    assert (error.exit_code, error.state, error.detail) == (4, "unknown", "something")


INSTALL = (Change("package", "haproxy", "install", "is not installed"),)


@pytest.mark.parametrize(
    ("lines", "changes", "kind", "code", "state"),
    [
        ("@@ failed x\n@@ restored\n@@ exit 1\n", (), RolledBackError, 7, "its files and services are as before"),
        ("@@ failed x\n@@ unrestored\n@@ exit 1\n", (), RemoteError, 1, "not everything could be put back"),
        ("@@ failed x\n@@ exit 1\n", (), RolledBackError, 7, "were not touched"),
        ("@@ failed x\n@@ restored\n@@ exit 1\n", INSTALL, RemoteError, 1, "packages that were installed stay"),
    ],
)
def test_a_failure_says_what_state_the_node_is_in(
    lines: str, changes: tuple[Change, ...], kind: type[Exception], code: int, state: str
) -> None:
    """Restored, half restored, untouched, or with packages that stay: the exit code and the words tell which."""
    _, _, error = told("@@ step reload haproxy\nJob failed.\n" + lines, changes)
    assert type(error) is kind
    assert isinstance(error, RemoteError)
    assert (error.exit_code, error.message, error.node) == (code, "reload haproxy: Job failed.", "lb1")
    assert state in (error.state or "")


@pytest.mark.parametrize(
    ("lines", "waits"),
    [
        ("@@ await 30\n", True),
        ("@@ step start haproxy\n@@ await 30\nsomething\n", True),
        ("@@ step start haproxy\n", False),
        ("@@ await 30\n@@ confirmed\n@@ exit 0\n", False),
        ("@@ await 30\n@@ unconfirmed 30\n@@ restored\n@@ exit 1\n", False),
        ("@@ run 1\n@@ boot a\n@@ await 30\n@@ now b\n", False),
    ],
)
def test_a_script_that_waits_for_a_decision_is_told_from_one_that_has_ended(lines: str, waits: bool) -> None:
    """All is done, and the node waits to be told that it may stay: then nothing is wrong yet."""
    progress, _, error = told(lines)
    assert progress.waits is waits
    assert not (waits and error)
    assert progress.awaiting == (30 if "await" in lines else None)


def test_a_change_that_was_confirmed_is_well() -> None:
    """The end after a confirmation is like any good end."""
    progress, _, error = told("@@ step reload haproxy\n@@ await 30\n@@ confirmed\n@@ exit 0\n")
    assert (progress.exit, error) == (0, None)


@pytest.mark.parametrize(
    ("undecided", "message"),
    [
        ("unconfirmed 30", "no confirmation came within 30 s"),
        ("abandoned", "it was told to undo the change"),
        ("killed", "its run there was killed at: reload haproxy"),
        ("disagreed lb1", "lb1 has undone the change, on which the nodes must agree"),
    ],
)
@pytest.mark.parametrize(("restored", "kind"), [("restored", RolledBackError), ("unrestored", RemoteError)])
def test_a_change_that_was_not_confirmed_says_why(
    undecided: str, message: str, restored: str, kind: type[LbdeployError]
) -> None:
    """No step has failed: either nobody said that it may stay, or somebody said that it must not."""
    progress, _, error = told(f"@@ step reload haproxy\n@@ await 30\n@@ {undecided}\n@@ {restored}\n@@ exit 1\n")
    assert type(error) is kind
    assert error
    assert error.message == message
    assert progress.undecided == undecided.split(maxsplit=1)[0]


JOURNAL = """\
@@ run 20261123T092201.123Z
@@ about ann@laptop
@@ boot {boot}
@@ staged /etc/haproxy/haproxy.cfg.lbdeploy-new
@@ step reload haproxy
{end}@@ now 22
"""


@pytest.mark.parametrize(
    ("boot", "end", "kind"),
    [
        ("11", "", RebootedError),
        ("11", "@@ await 30\n", RebootedError),
        ("11", "@@ failed x\n@@ restored\n@@ exit 1\n", RebootedError),
        ("11", "@@ exit 0\n", None),
        ("22", "@@ exit 0\n", None),
        ("22", "@@ failed x\n@@ restored\n@@ exit 1\n", RolledBackError),
        ("22", "", LostError),
    ],
)
def test_the_journal_tells_whether_the_node_was_started_again(
    boot: str, end: str, kind: type[LbdeployError] | None
) -> None:
    """Where the log is gone: a reboot is an error of its own, unless the run had come to its good end before."""
    progress, steps, error = told(JOURNAL.format(boot=boot, end=end))
    assert steps == ["reload haproxy"]
    assert progress.rebooted is (kind is RebootedError)
    assert type(error) is (kind or type(None))
    if isinstance(error, RebootedError):
        assert error.message == "the node rebooted during: reload haproxy"
        assert (error.node, error.fix, error.exit_code) == ("lb1", "lbdeploy up repairs it", 1)


@pytest.mark.parametrize(
    ("step", "acted"),
    [
        ("write the files", False),
        ("validate /etc/haproxy/haproxy.cfg", False),
        ("apt-get update", False),
        ("set net.ipv4.ip_nonlocal_bind", True),
        ("start haproxy", True),
        ("reload keepalived", True),
        ("restart keepalived", True),
    ],
)
def test_steps_that_may_break_the_connection_are_told_from_others(step: str, acted: bool) -> None:
    """A connection that is lost before any of them was not lost because of the change."""
    progress, _, _ = told(f"@@ step {step}\n@@ step write the files\n")
    assert progress.acted is acted
    assert told(f"@@ step {step}\n@@ await 5\n")[0].acted


def test_lines_are_counted_so_that_another_connection_can_go_on() -> None:
    """Every line counts, whether it means something or not."""
    assert told("@@ step a\nhello\n\n@@ await 3\n")[0].lines_read == 4


APT = """\
Reading package lists...
Building dependency tree...
Reading state information...
E: Unable to locate package keepalived
W: something else
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (APT, "E: Unable to locate package keepalived; W: something else"),
        ("", "apt-get failed"),
        ("a\nb\nc\nd\n", "b; c; d"),
        ("[NOTICE] x\n[ALERT] (7) : config : parsing [/etc/haproxy/haproxy.cfg:3]\n",
         "[ALERT] (7) : config : parsing [/etc/haproxy/haproxy.cfg:3]"),
        ("\n \nlast\n", "last"),
        ("[ALERT] one\nnoise\n[ALERT] two\n[ALERT] three\nsummary\n", "[ALERT] two; [ALERT] three; summary"),
        ("dpkg: error\nE: last\n", "dpkg: error; E: last"),
    ],
)  # fmt: skip
def test_the_reason_is_what_matters_of_what_was_said(said: str, reason: str) -> None:
    """apt and haproxy mark their own errors; of others the last lines are shown, and all of it is in the detail."""
    _, _, error = told(f"@@ step apt-get install\n{said}@@ failed apt-get\n@@ exit 100\n")
    assert isinstance(error, RemoteError)
    assert error.message == f"apt-get install: {reason}"
    assert error.detail == "\n".join(said.splitlines())


WORDS = ["step", "failed x", "await 3", "confirmed", "abandoned", "unconfirmed 3", "restored", "unrestored", "kept",
         "killed", "agree 3", "undoing", "disagreed lb1", "locked ann", "exit 0", "exit 1", "boot a", "now a", "now b",
         "staged /x", "run 1", "anything"]  # fmt: skip


@given(st.lists(st.sampled_from([f"{MARK} {word}" for word in WORDS]) | st.text(max_size=9)))
def test_every_order_of_lines_ends_in_an_error_or_in_none(lines: list[str]) -> None:
    """A log may be cut anywhere: what is read of it is well, waits, or is an error that names the node."""
    progress = Progress("lb1", lambda step: None)
    for line in lines:
        progress.line(line)
    error = progress.error(NodePlan(None, ()))  # type: ignore[arg-type]
    if error is None:
        assert progress.waits or progress.exit == 0
    else:
        assert (error.node, bool(error.state), bool(error.fix)) == ("lb1", True, True)


def test_output_that_looks_like_a_mark_is_output() -> None:
    """Only lines that begin with the mark and a space are the script's own."""
    progress, steps, _ = told("@@exit 0\n x @@ exit 0\n@@ step a\n")
    assert (progress.exit, len(progress.output), steps) == (None, 2, ["a"])


def test_who_finds_the_cluster_locked_is_told_nothing_that_its_command_lacks() -> None:
    """`drill` has no --lock-wait, and its advice is not to run `up`."""
    fix = str(locked("lb1", "ann@laptop").fix)
    assert fix.startswith("wait for it to end, and try again")
    assert "lbdeploy up" not in fix
