"""`lbdeploy show`, offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Run
from statuses import pair

from lbdeploy.config.model import Cluster


def test_the_sample_is_drawn_and_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the terminal, as a picture, as a page; nobody is contacted."""
    connected: list[object] = []
    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool.__init__", lambda *_, **__: connected.append(True))
    done = run("show", "--svg", "a.svg", "--html", "a.html")
    assert done.code == 0
    assert "VRRP 101, unicast" in done.out
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")
    assert connected == []


def test_a_document_for_programs(run: Run) -> None:
    """`--json show` has the parts as data."""
    document = run("--json", "show").json
    assert (document["ok"], document["live"], len(document["nodes"])) == (True, False, 2)


def test_a_live_picture_ends_with_how_the_cluster_is(run: Run, seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """After what was written; as `status` says it."""
    monkeypatch.setattr("lbdeploy.cli.commands.show._look", lambda _: pair(seed))
    last = run("show", "--live", "--svg", "a.svg").out.splitlines()[-1]
    assert last.startswith("k8s-api  HEALTHY  2/2 nodes  3/3 servers  VIPs on lb1")
    assert "HEALTHY" not in run("show").out


def test_a_file_that_can_not_be_written_is_told(run: Run) -> None:
    """Exit 2, with what to do."""
    done = run("--json", "show", "--svg", "nowhere/a.svg")
    assert (done.code, done.json["error"]["message"]) == (
        2,
        "nowhere/a.svg can't be written: No such file or directory",
    )
