"""`init` with flags: which file it writes, and when it writes none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from schemas import conforming

from lbdeploy.config import json_schema, reader

pytestmark = pytest.mark.terminal


BIN = Path(sys.executable).parent
NETWORKS = ("--network", "external=ens33", "--network", "management=ens32")
NODES = ("--node", "lb1=192.168.0.11,192.168.1.11", "--node", "lb2=192.168.0.12,192.168.1.12")
VIPS = ("--vip", "external=192.168.0.10/24", "--vip", "management=192.168.1.10/24")
SERVERS = ("--server", "master1=192.168.1.21", "--server", "master2=192.168.1.22:7443")
FLAGS = (*NETWORKS, *NODES, *VIPS, *SERVERS)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs lbdeploy in an empty folder, without a terminal."""

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LBDEPLOY_FILE": ""}
        argv = [str(BIN / "lbdeploy"), *args]
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL
        )
        assert "Traceback" not in done.stderr
        return done

    return call


def test_flags_make_a_file_that_check_accepts(run: Run, tmp_path: Path) -> None:
    """The file has what the flags say, and comments; lbdeploy and taplo find nothing wrong with it."""
    done = run("init", *FLAGS, "--name", "prod", "--user", "ops", "--router-id", "7")
    assert (done.returncode, done.stderr) == (0, "")
    cluster = reader.load(tmp_path / "hosts.toml")
    assert (cluster.name, cluster.ssh.user, cluster.vrrp.router_id, cluster.vrrp.network) == (
        "prod", "ops", 7, "management",
    )  # fmt: skip
    assert [(node.name, node.priority, node.host) for node in cluster.nodes] == [
        ("lb1", 200, "192.168.1.11"),
        ("lb2", 100, "192.168.1.12"),
    ]
    assert [str(vip.address) for vip in cluster.vips] == ["192.168.0.10/24", "192.168.1.10/24"]
    assert [(each.name, each.port) for _, each in cluster.servers()] == [("master1", 6443), ("master2", 7443)]
    assert "# the highest is the preferred MASTER" in (tmp_path / "hosts.toml").read_text()
    assert run("check").returncode == 0
    assert subprocess.run([BIN / "taplo", "lint", "hosts.toml"], cwd=tmp_path, check=False).returncode == 0


def test_taplo_checks_the_file_by_the_schema_that_its_first_line_names(run: Run, tmp_path: Path) -> None:
    """A mistake that is made later is one that an editor shows."""
    run("init", *FLAGS)
    path = tmp_path / "hosts.toml"
    assert path.read_text().startswith(f"#:schema {json_schema.FILE_NAME}\n")
    path.write_text(path.read_text().replace("router_id = 101", "router_id = 1010"))
    done = subprocess.run([BIN / "taplo", "lint", path.name], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "1010 is greater than the maximum of 255" in done.stderr


def test_several_vips_nodes_and_families(run: Run, tmp_path: Path) -> None:
    """A network may have several VIPs, of both families; priorities fall from node to node."""
    nodes = [f"--node=lb{n}=192.0.2.1{n}" for n in range(1, 5)]
    vips = ("--vip", "net=192.0.2.10/24", "--vip", "net=2001:db8::10/64")
    assert run("init", "--network", "net=bond0.17", *nodes, *vips, "--server", "2001:db8::21").returncode == 0
    cluster = reader.load(tmp_path / "hosts.toml")
    assert [node.priority for node in cluster.nodes] == [200, 167, 134, 100]
    assert [str(vip.ip) for vip in cluster.vips] == ["192.0.2.10", "2001:db8::10"]
    assert [each.name for _, each in cluster.servers()] == ["master1"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((*NETWORKS, *NODES, *VIPS), "frontends.k8s-api.servers: is empty"),
        ((*NETWORKS, *VIPS, *SERVERS), "nodes: is missing"),
        ((*NETWORKS, *NODES[:2], *VIPS, *SERVERS), "nodes: at least two nodes are needed; add a second"),
        ((*NETWORKS, *NODES, *SERVERS), 'no network has a VIP; add vip = "ADDRESS/PREFIX"'),
        ((*NODES, *VIPS, *SERVERS), "the nodes' addresses are on no network"),
        ((*FLAGS, "--network", "external=ens34"), "external is named twice"),
        ((*FLAGS, "--node", "lb1=192.168.0.13,192.168.1.13"), "lb1 is named twice"),
        ((*FLAGS, "--vip", "extern=192.168.0.9/24"), "there is no network extern"),
        ((*FLAGS, "--node", "lb3=192.168.0.13"), "lb3 needs one address for each network"),
        ((*FLAGS, "--node", "lb3"), "lb3 is not NAME=VALUE"),
        ((*FLAGS, "--server", "master1=192.168.1.29"), "master1 is named twice"),
        ((*FLAGS, "--server", "master3=master3.example.org"), "names are not resolved"),
        ((*FLAGS, "--vrrp", "managment"), "did you mean management?"),
        ((*FLAGS, "--name", "not plain"), "is not a plain name"),
        ((*NETWORKS, *NODES, "--vip", "external=192.168.0.10", *SERVERS), "has no prefix length"),
    ],
)
def test_bad_flags_write_nothing(run: Run, tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    """What is wrong is told with what would be right: exit 2, no file."""
    done = run("init", *flags)
    assert done.returncode == 2
    assert told in done.stderr + " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_every_problem_of_the_flags_is_told_at_once(run: Run) -> None:
    """Nobody has to correct flags one by one."""
    error = run("init", *NETWORKS, *NODES, "--vip", "external=192.168.0.10", "--server", "m1=m1").stderr
    assert "networks.external.vip:" in error
    assert "frontends.k8s-api.servers.m1:" in error


def test_a_file_that_is_there_is_left_alone(run: Run, tmp_path: Path) -> None:
    """Only --force overwrites, and a schema that is there stays as it is."""
    path = tmp_path / "hosts.toml"
    path.write_text("mine")
    (tmp_path / json_schema.FILE_NAME).write_text("mine, too")
    done = run("init", *FLAGS)
    assert (done.returncode, path.read_text()) == (2, "mine")
    assert "next: run the same command with --force, which overwrites hosts.toml; or with --output FILE" in done.stderr
    assert run("init", *FLAGS, "--force").returncode == 0
    assert reader.load(path).name == "k8s-api"
    assert (tmp_path / json_schema.FILE_NAME).read_text() == "mine, too"
    assert run("init", *FLAGS, "--output", "other.toml").returncode == 0
    assert {each.name for each in tmp_path.iterdir()} == {"hosts.toml", "other.toml", json_schema.FILE_NAME}
    assert "with --force, which overwrites other.toml" in run("init", *FLAGS, "--output", "other.toml").stderr


def test_a_link_is_followed_when_it_is_overwritten(run: Run, tmp_path: Path) -> None:
    """A file that is kept elsewhere stays there; a link that leads nowhere is not overwritten by chance."""
    link, kept = tmp_path / "hosts.toml", tmp_path / "kept.toml"
    link.symlink_to(kept)
    assert run("init", *FLAGS).returncode == 2
    assert run("init", *FLAGS, "--force").returncode == 0
    assert link.is_symlink()
    assert reader.load(kept).name == "k8s-api"


def test_a_file_that_can_not_be_written_is_an_error(run: Run, tmp_path: Path) -> None:
    """A folder that is not there: what happened, and exit 2."""
    done = run("init", *FLAGS, "--output", "nowhere/hosts.toml")
    assert (done.returncode, "can't be written" in done.stderr, list(tmp_path.iterdir())) == (2, True, [])


def test_the_file_option_and_json_are_honoured(run: Run, tmp_path: Path) -> None:
    """-f names the file to write, and --json prints one document that names it, too."""
    done = run("-f", "prod.toml", "--json", "init", *FLAGS)
    document = conforming(json.loads(done.stdout))
    assert (document["ok"], document["path"]) == (True, str(tmp_path / "prod.toml"))
    assert "lbdeploy -f prod.toml check" in done.stderr


def test_without_a_terminal_it_does_not_ask(run: Run, tmp_path: Path) -> None:
    """No flags and no terminal: it says which flags, instead of waiting."""
    done = run("init")
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert "--network, --node, --vip and --server" in done.stderr
