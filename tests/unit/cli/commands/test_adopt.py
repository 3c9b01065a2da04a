"""`adopt`: which files it writes, and when it writes none."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import handmade_files as made
import pytest
from handmade_files import pair_of, seed_pair
from schemas import conforming

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.adopt import adopt
from lbdeploy.config import reader
from lbdeploy.errors import ConnectError, LbdeployError
from lbdeploy.operations.adopt import adopt as operation
from lbdeploy.operations.adopt.reading.machine import Machine

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs adopt in an empty folder, where nodes answer so; returns its document, and what it said besides."""

    def call(seen: Sequence[Machine] | LbdeployError, *args: str) -> dict[str, Any]:
        answers = {"lb1": seen} if isinstance(seen, LbdeployError) else {each.name: each for each in seen}
        monkeypatch.setattr(operation, "visit", lambda *_: answers)
        monkeypatch.chdir(tmp_path)
        app = App()
        app.json, app.command = True, "adopt"
        try:
            adopt.main([*args], obj=app, standalone_mode=False)
        except LbdeployError as error:
            app.exit_code = app.fail(error)
        shown = capsys.readouterr()
        document: dict[str, Any] = json.loads(shown.out)
        conforming(document)
        return document | {"stderr": shown.err}

    return call


def test_it_writes_a_file_that_check_accepts_and_tells_of_every_line(run: Run, tmp_path: Path) -> None:
    told = run(seed_pair(), "lb1=192.168.1.11", "lb2")
    assert (told["command"], told["ok"], told["exit_code"], told["files"]) == ("adopt", True, 0, [])
    assert told["path"] == str(tmp_path / "hosts.toml")
    cluster = reader.load(tmp_path / "hosts.toml")
    assert (cluster.name, [node.host for node in cluster.nodes]) == ("k8s-api", ["192.168.1.11", "lb2"])
    line = next(each for each in told["lines"] if each["text"] == "virtual_router_id 101")
    assert line == {
        "nodes": ["lb1", "lb2"],
        "file": "/etc/keepalived/keepalived.conf",
        "line": 20,
        "text": "virtual_router_id 101",
        "verdict": "kept",
        "meaning": "vrrp.router_id = 101",
    }
    assert sum(told["counts"].values()) == len(told["lines"])


def test_what_to_type_next_is_about_the_file_that_was_written(run: Run) -> None:
    assert "Next: lbdeploy check, then: lbdeploy plan\n" in run(seed_pair(), "lb1", "lb2")["stderr"]
    told = run(seed_pair(), "lb1", "lb2", "--output", "site.toml")["stderr"]
    assert "Next: lbdeploy -f site.toml check, then: lbdeploy -f site.toml plan\n" in told


def test_scripts_lie_beside_it_and_only_the_owner_reads_one_with_a_password(run: Run, tmp_path: Path) -> None:
    """And `check` accepts the file that names them."""
    block = 'vrrp_script up {\n    script "/opt/up.sh"\n}\nvrrp_script key {\n    script "/opt/key.sh"\n}\n'
    conf = block + made.K3S_KEEPALIVED.replace("chk_haproxy\n    }", "chk_haproxy\n        up\n        key\n    }")
    files = {"/opt/up.sh": "#!/bin/sh\nexit 0\n", "/opt/key.sh": "#!/bin/sh\ncurl --password=hunter2 x\n"}
    told = run(pair_of(conf, made.K3S_HAPROXY, files), "lb1", "lb2")
    assert told.get("error") is None
    assert told["files"] == [str(tmp_path / "scripts" / name) for name in ("up", "key")]
    modes = [stat.S_IMODE((tmp_path / "scripts" / name).stat().st_mode) & 0o755 for name in ("up", "key")]
    assert modes == [0o755, 0o700]
    assert len(reader.load(tmp_path / "hosts.toml").vrrp.track_scripts) == 2
    assert "hunter2" not in json.dumps(told)


def test_what_exists_is_not_overwritten_unasked(run: Run, tmp_path: Path) -> None:
    """Nodes are not contacted for it; --force overwrites, and --output names another file."""
    (tmp_path / "hosts.toml").write_text("mine")
    assert run(seed_pair(), "lb1", "lb2")["exit_code"] == 2
    assert (tmp_path / "hosts.toml").read_text() == "mine"
    assert run(seed_pair(), "lb1", "lb2", "--output", "other.toml", "--name", "prod")["ok"]
    assert reader.load(tmp_path / "other.toml").name == "prod"
    assert run(seed_pair(), "lb1", "lb2", "--force")["ok"]
    assert reader.load(tmp_path / "hosts.toml").name == "k8s-api"


@pytest.mark.parametrize("nodes", [["lb1", "lb1"], ["a=10.0.0.1", "b=10.0.0.1"], ["ops@lb1", "ops@lb2"]])
def test_a_pair_has_two_different_nodes(run: Run, nodes: list[str]) -> None:
    assert run([], *nodes)["exit_code"] == 2


def test_a_node_alone_says_whom_to_name_as_well(run: Run, tmp_path: Path) -> None:
    """As its keepalived.conf has them; nothing is written."""
    error = run(seed_pair()[:1], "lb1=192.168.1.11")["error"]
    assert error["message"] == "lb1 alone is no pair; its keepalived sends adverts to 192.168.1.12"
    assert error["fix_command"] == ["lbdeploy", "adopt", "lb1=192.168.1.11", "192.168.1.12"]
    assert error["state"].startswith("nothing was written")
    multicast = made.K3S_KEEPALIVED.replace("unicast_peer", "unicast_other")
    error = run(pair_of(multicast, made.K3S_HAPROXY)[:1], "lb1")["error"]
    assert error["message"].endswith("/etc/keepalived/keepalived.conf there names no peer in unicast_peer")
    assert error["fix"] == "name the other node, too: lbdeploy adopt lb1 NODE"
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_can_not_be_asked_is_an_error_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    error = ConnectError("nothing answers", node="lb1", fix="switch it on")
    told = run(error, "lb1", "lb2")
    assert (told["exit_code"], told["error"]["node"]) == (4, "lb1")
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_a_valid_hosts_toml_is_not_written(run: Run, tmp_path: Path) -> None:
    """With every problem."""
    haproxy = made.K3S_HAPROXY.replace("10.20.0.21:6443", "10.20.0.10:6443")
    told = run(pair_of(made.K3S_KEEPALIVED, haproxy), "lb1", "lb2")
    assert told["exit_code"] == 1
    assert "server-1: 10.20.0.10 is a VIP" in told["error"]["message"]
    assert list(tmp_path.iterdir()) == []
