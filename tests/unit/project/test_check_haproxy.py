"""The script that keepalived judges a node by: which servers it counts, and when another node is the better one.

It runs here, with a socat that answers as haproxy and the other nodes would. With real ones it runs in the lab.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from builders import SEED, cluster

from lbdeploy.planning.desired import CHECK_HAPROXY, HAPROXY_STOPPED, LACKS_SERVERS, VRRP_STATE, files

pytestmark = pytest.mark.terminal

TWO = SEED.read_text() + (
    "\n[frontends.ingress]\nport = 443\n[frontends.ingress.servers]\n"
    'w1 = "192.168.1.31:30443"\nw2 = "192.168.1.32:30443"\n'
)
HEAD = "# pxname,svname,x,status,check_status,last_chk,"
SOCAT = """#!/bin/sh
for last; do :; done
case $last in
    *admin.sock) cat > "{folder}/asked"; cat "{folder}/haproxy" ;;
    *192.168.1.12*) who=lb2 ;;
    *) who=. ;;
esac
[ -n "$who" ] || exit 0
tr -d '\\0' | grep -aoE 'k8s-api|ingress' | sed "s/^/$who /" | grep -xFf "{folder}/answers" | head -c 1
"""


class Node:
    """lb1, whose haproxy and peers say what a test has them say."""

    def __init__(self, folder: Path, hosts: str = TWO) -> None:
        self.folder = folder
        found = cluster(folder, hosts)
        (text,) = (each.content for each in files(found, found.preferred) if each.path == CHECK_HAPROXY)
        for path in (LACKS_SERVERS, VRRP_STATE, HAPROXY_STOPPED):
            text = text.replace(path, str(folder / path.rpartition("/")[2]))
        assert "timeout 0.7 socat -t 0.7" in text
        (folder / "check").write_text(text.replace("timeout 0.7", "timeout 20"))  # a machine that is busy is no reason
        (folder / HAPROXY_STOPPED.rpartition("/")[2]).write_text("0\n")
        (folder / "bin").mkdir()
        (folder / "bin/socat").write_text(SOCAT.format(folder=folder))
        (folder / "bin/socat").chmod(0o755)

    def check(self, servers: str, *answers: str) -> bool:
        """Whether it may hold the VIPs: `servers` are rows of the statistics, `answers` who gets one for what."""
        rows = [HEAD] + [f"{row}," for row in servers.split()]
        text = "Name: HAProxy\nVersion: 2.6\n\n" + "\n".join(rows) + "\n\n"
        (self.folder / "haproxy").write_text(text.replace("~", " "))
        (self.folder / "answers").write_text("".join(f"{each}\n" for each in answers))
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(["sh", self.folder / "check"], check=False, capture_output=True, env={"PATH": path})
        assert done.stderr == b""
        return done.returncode == 0

    @property
    def fit(self) -> bool:
        """Whether it has told haproxy that others may ask."""
        return "key fit" in (self.folder / "asked").read_text()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


WELL = (
    "k8s-api,master1,,UP,L4OK k8s-api,master2,,DOWN,L4CON k8s-api,BACKEND,,UP, "
    "ingress,w1,,UP,L7OK ingress,w2,,UP,INI ingress,BACKEND,,UP,"
)
API_LOST = WELL.replace("UP,L4OK", "UP~1/2,L4TOUT")
API_DOWN = WELL.replace("UP,L4OK", "DOWN,L4TOUT").replace("k8s-api,BACKEND,,UP", "k8s-api,BACKEND,,DOWN")


def test_a_node_with_a_server_for_each_frontend_is_well(node: Node) -> None:
    """Whatever the others have; and it says that it is fit."""
    assert node.check(WELL, "lb2 k8s-api", "lb2 ingress")
    assert node.fit


@pytest.mark.parametrize(
    "row", ["UP~1/2,L4TOUT", "UP,*~L4OK", "DOWN,L7STS", "MAINT,L4OK", "DRAIN,L4OK", "DOWN~(agent),L4TOUT"]
)
def test_what_counts_as_no_server(node: Node, row: str) -> None:
    """One whose last check failed, one that is just being asked, and one that is to get no connections."""
    servers = WELL.replace("UP,L4OK", row)
    answers = [node.check(servers, "lb2 k8s-api", "lb2 ingress") for _ in range(3)]
    assert answers == [True, False, False]


@pytest.mark.parametrize("row", ["UP,L4OK", "UP,INI", "UP,", "no~check,", "DOWN~1/3,L7OK", "UP~2/3,L6OK"])
def test_what_counts_as_one(node: Node, row: str) -> None:
    """Also one that is coming back, or was never asked."""
    servers = WELL.replace("UP,L4OK", row)
    assert all(node.check(servers, "lb2 k8s-api", "lb2 ingress") for _ in range(4))


def test_servers_that_are_gone_for_everybody_move_nothing(node: Node) -> None:
    """No other node gets an answer either: whoever holds the VIPs keeps them."""
    assert all(node.check(API_DOWN, "lb2 ingress") for _ in range(5))


def test_servers_that_come_back_are_waited_for(node: Node) -> None:
    """The other node may see them a moment before; one that stays behind gives up at the third time."""
    assert [node.check(API_DOWN, "lb2 k8s-api", "lb2 ingress") for _ in range(2)] == [True, True]
    assert node.check(WELL)
    assert [node.check(API_DOWN, "lb2 k8s-api", "lb2 ingress") for _ in range(4)] == [True, True, False, False]
    assert not node.fit
    assert not node.check(WELL.replace("UP,L4OK", "DOWN~2/3,L4OK"), "lb2 k8s-api", "lb2 ingress")
    assert node.check(WELL, "lb2 k8s-api", "lb2 ingress")


def test_a_server_that_answers_after_all_counts(node: Node) -> None:
    """haproxy's check may be slow; what a client would get is what matters."""
    assert all(node.check(API_LOST, ". k8s-api", "lb2 k8s-api", "lb2 ingress") for _ in range(3))


def test_a_node_that_reaches_others_but_not_these_is_not_better(node: Node) -> None:
    """Or both would give up the VIPs, and nobody held them."""
    assert all(node.check(API_DOWN, "lb2 k8s-api") for _ in range(4))


@pytest.mark.parametrize("name", ["own", "esac"])
def test_names_mean_nothing_to_the_script(tmp_path: Path, name: str) -> None:
    """Neither a peer's nor a frontend's."""
    text = TWO.replace("[nodes.lb2", f"[nodes.{name}").replace("[frontends.ingress", f"[frontends.{name}")
    node = Node(tmp_path, text)
    servers = API_DOWN.replace("ingress", name)
    (tmp_path / "bin/socat").write_text(
        SOCAT.format(folder=tmp_path).replace("who=lb2", f"who={name}").replace("ingress", name)
    )
    answers = [node.check(servers, f"{name} k8s-api", f"{name} {name}") for _ in range(3)]
    assert answers == [True, True, False]


def test_a_node_in_fault_state_is_not_fit(node: Node) -> None:
    """It could not take over."""
    (node.folder / "lbdeploy-vrrp-state").write_text("FAULT\n")
    assert node.check(WELL)
    assert not node.fit
    (node.folder / "lbdeploy-vrrp-state").write_text("BACKUP\n")
    assert node.check(WELL)
    assert node.fit


@pytest.mark.parametrize(("seconds", "stopped"), [(0, "1"), (10, "0"), (-3600, "0")])
def test_one_that_was_stopped_a_moment_ago_stays_stopped(node: Node, seconds: int, stopped: str) -> None:
    """It has answered just before; the node would keep the VIPs until the next check. Later, it was started by hand."""
    file = node.folder / HAPROXY_STOPPED.rpartition("/")[2]
    file.write_text("1\n")
    os.utime(file, (time.time() - seconds, time.time() - seconds))
    assert node.check(WELL)
    assert file.read_text() == f"{stopped}\n"


def test_where_nothing_says_whether_it_is_stopped_it_is_not(node: Node) -> None:
    """As after a boot, where haproxy was started by hand."""
    file = node.folder / HAPROXY_STOPPED.rpartition("/")[2]
    file.unlink()
    assert node.check(WELL)
    assert file.read_text() == "0\n"


def test_a_haproxy_that_does_not_answer_is_not_well(node: Node) -> None:
    """Nor one that says something else."""
    (node.folder / "bin/socat").write_text("#!/bin/sh\nexit 1\n")
    assert not node.check(WELL)
    (node.folder / "bin/socat").write_text("#!/bin/sh\necho Permission denied\n")
    assert not node.check(WELL)
