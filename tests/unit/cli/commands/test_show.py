"""`lbdeploy show`, offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from console import Run
from statuses import pair

from lbdeploy.config.model import Cluster
from lbdeploy.operations.status import Status


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
    monkeypatch.setattr("lbdeploy.cli.commands.show._look", lambda *_: pair(seed))
    last = run("show", "--live", "--svg", "a.svg").out.splitlines()[-1]
    assert last.startswith("k8s-api  HEALTHY  2/2 nodes  3/3 servers  VIPs on lb1")
    assert "HEALTHY" not in run("show").out


def test_only_some_nodes_are_asked(run: Run, seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others do is not known. Nobody is asked offline, nor where there is no such node."""
    asked: list[tuple[str, ...]] = []

    def some(_: object, limit: tuple[str, ...]) -> Status:
        asked.append(limit)
        both = pair(seed)
        return replace(both, nodes={name: each for name, each in both.nodes.items() if name in limit})

    monkeypatch.setattr("lbdeploy.cli.commands.show._look", some)
    nodes = run("--json", "show", "--live", "--limit", "lb1").json["nodes"]
    assert [(each["name"], each["state"]) for each in nodes] == [("lb1", "good"), ("lb2", "unknown")]
    assert run("show", "--limit", "lb1").code == run("show", "--live", "--limit", "lb9").code == 2
    assert asked == [("lb1",)]


def test_a_file_that_can_not_be_written_is_told(run: Run) -> None:
    """Exit 2, with what to do."""
    done = run("--json", "show", "--svg", "nowhere/a.svg")
    assert (done.code, done.json["error"]["message"]) == (
        2,
        "nowhere/a.svg can't be written: No such file or directory",
    )
