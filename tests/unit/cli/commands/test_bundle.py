"""`lbdeploy bundle`, where no node answers."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from console import BAD, Run

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


def test_a_hosts_toml_with_problems_has_a_bundle_too(run: Run, tmp_path: Path) -> None:
    """Of this machine: the file, without secrets, and what is wrong with it. No node is contacted."""
    (tmp_path / "hosts.toml").write_text(BAD + '# token = "s3cret"\n')
    done = run("bundle", "--output", "a.tar.gz")
    assert done.code == 0
    assert "hosts.toml has 2 problems" in done.err
    assert "not in it: the nodes: " in done.out
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        found = {each.name.partition("/")[2]: archive.extractfile(each).read().decode() for each in archive}  # type: ignore[union-attr]
    assert "router_id" in found["laptop/problems.txt"]
    assert "[cluster]" in found["laptop/hosts.toml"]
    assert "s3cret" not in "".join(found.values())


def test_what_is_no_toml_has_a_bundle_too_and_what_is_not_there_has_none(run: Run, tmp_path: Path) -> None:
    """The archive has a name all the same; a file that is not there is a mistyped name."""
    (tmp_path / "hosts.toml").write_text("[cluster\n")
    assert run("--json", "bundle").json["path"].startswith("lbdeploy-unreadable-")
    assert run("-f", "nowhere.toml", "bundle").code == 2
