"""Whether the operator's scripts were told of the nodes' states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import NOW, cluster, observe
from goldens import GOOD, SCRIPT

from lbdeploy.health.finding import Finding
from lbdeploy.health.notified import notified
from lbdeploy.health.state import ClusterState
from lbdeploy.node.keepalived_state import KeepalivedState, ToldState
from lbdeploy.node.paths import TELL_STATE

UNKNOWN = KeepalivedState()


def found(folder: Path, told: ToldState | None, reported: KeepalivedState = UNKNOWN) -> Finding:
    (folder / "notify.sh").write_text(SCRIPT)
    pair = cluster(folder, GOOD.replace("[vrrp]\n", '[vrrp]\nnotify_master = "notify.sh"\n'))
    seen = replace(observe(pair, pair.preferred, holds=True), told=told, reported=reported)
    (finding,) = notified(ClusterState(pair, [seen]))
    return finding


def test_a_script_that_was_told_is_as_it_should_be(tmp_path: Path) -> None:
    finding = found(tmp_path, ToldState("MASTER", "delivered", NOW, 3))
    assert (finding.ok, finding.detail) == (True, "its script was told of MASTER")


@pytest.mark.parametrize(
    ("told", "severity", "settling", "detail"),
    [
        (None, "warning", True, "no script was told of its state yet"),
        (ToldState("MASTER", "delivering", NOW, 1), "warning", True, "its script is being told of MASTER"),
        (
            ToldState("MASTER", "failing", NOW - 12, 2, 22),
            "error",
            True,
            "notify_master ends with 22, 2 times so far: it was to be told of MASTER 12 s ago",
        ),
        (
            ToldState("MASTER", "delivering", NOW - 90, 4, 124),
            "error",
            False,
            "notify_master takes longer than 30 s, 4 times so far: it was to be told of MASTER 90 s ago",
        ),
        (
            ToldState("FAULT", "failing", NOW - 9, 3, 1),
            "warning",
            False,
            "notify_fault ends with 1, 3 times so far: it was to be told of FAULT 9 s ago",
        ),
    ],
)
def test_one_that_was_not_is_an_error_on_the_holder(
    tmp_path: Path, told: ToldState | None, severity: str, settling: bool, detail: str
) -> None:
    """Elsewhere it is a warning; what may end within seconds is waited for."""
    finding = found(tmp_path, told)
    assert (finding.severity, finding.settling, finding.detail) == (severity, settling, detail)
    assert "journalctl -u lbdeploy-notify" in (finding.fix or "")


@pytest.mark.parametrize(
    ("state", "told", "since", "severity", "settling"),
    [
        ("MASTER", ToldState("BACKUP", "delivered", NOW - 99, 1), NOW - 90, "error", False),
        ("MASTER", ToldState("BACKUP", "delivering", NOW - 99, 1), NOW - 9, "error", True),
        ("BACKUP", ToldState("MASTER", "failing", NOW - 99, 1, 4), NOW - 90, "error", False),
        ("BACKUP", ToldState("FAULT", "delivered", NOW - 99, 1), NOW - 90, "warning", False),
        ("FAULT", ToldState("BACKUP", "delivered", NOW - 99, 1), 0.0, "warning", True),
    ],
)
def test_a_state_that_keepalived_does_not_have_was_told(
    tmp_path: Path, state: str, told: ToldState, since: float, severity: str, settling: bool
) -> None:
    """Whatever came of it: the script of keepalived's own state was not run. A change within seconds is waited for."""
    finding = found(tmp_path, told, KeepalivedState(state, 100, since))
    assert (finding.severity, finding.settling) == (severity, settling)
    assert finding.detail == f"keepalived is {state}, and the last state to be told was {told.state}"
    assert finding.fix == f"there: {TELL_STATE} {state}"


@pytest.mark.parametrize("state", ["MASTER", "INIT", ""])
def test_the_state_of_a_keepalived_that_starts_or_does_not_run_is_not_compared(tmp_path: Path, state: str) -> None:
    """It has told STOP, or nothing yet."""
    assert found(tmp_path, ToldState("MASTER", "delivered", NOW, 3), KeepalivedState(state, 100, NOW)).ok


def test_without_scripts_nothing_is_said(tmp_path: Path) -> None:
    pair = cluster(tmp_path, GOOD)
    assert list(notified(ClusterState(pair, [observe(pair, pair.preferred)]))) == []
