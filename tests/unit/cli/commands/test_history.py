"""`lbdeploy history`, where no node answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console import Run

from lbdeploy.config.model import Node
from lbdeploy.errors import ConnectError
from lbdeploy.ssh.pool import SessionPool


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that do not answer."""

    def opened(self: SessionPool, node: Node, resolving: object) -> Any:
        raise ConnectError("no answer", node=node.name, fix="see whether it runs")

    monkeypatch.setattr(SessionPool, "_open", opened)
    monkeypatch.setattr("lbdeploy.ssh.pool.Resolving", lambda *_: None)


@pytest.mark.usefixtures("unreachable")
def test_what_this_machine_remembers_is_told_all_the_same(run: Run, tmp_path: Path) -> None:
    """Exit 4; a run that failed is in it, as it was logged."""
    assert run("up").code == 4
    done = run("--json", "history", "--html", "past.html")
    assert (done.code, done.json["unreached"]) == (4, ["lb1", "lb2"])
    (event,) = done.json["events"]
    assert (event["kind"], event["command"], event["exit_code"]) == ("up", "lbdeploy up", 4)
    assert "no answer" in event["error"]
    assert "lbdeploy up" in (tmp_path / "past.html").read_text()


@pytest.mark.usefixtures("unreachable")
def test_a_cluster_without_a_past_is_told_so(run: Run) -> None:
    """Instead of an empty table."""
    assert "Nothing is recorded." in run("history").out
