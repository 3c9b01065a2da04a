"""`lbdeploy bundle`, where no node answers."""

from __future__ import annotations

import tarfile
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
def test_nodes_that_do_not_answer_do_not_make_it_fail(run: Run, tmp_path: Path) -> None:
    """What this machine has is in it, and what is missing is told, on the screen and in the archive; it is private."""
    done = run("bundle", "--output", "a.tar.gz")
    assert done.code == 0
    assert "not in it: lb1: the node: no answer; see whether it runs" in done.out
    path = tmp_path / "a.tar.gz"
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"README.txt", "manifest.json", "laptop/hosts.toml", "cluster/verify.json"} <= set(names)


@pytest.mark.usefixtures("unreachable")
def test_a_document_lists_what_is_in_it(run: Run, tmp_path: Path) -> None:
    """And what is not; the file has a name by which one finds it."""
    document = run("--json", "bundle").json
    assert (document["ok"], document["nodes"], len(document["missing"])) == (True, [], 2)
    assert [path.name for path in tmp_path.glob("lbdeploy-k8s-api-*.tar.gz")] == [document["path"]]
