"""`lbdeploy status` on nodes: what keepalived says, and what a node that hangs does to the others."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from clients import traffic
from harness import LBDEPLOY, VIPS, Lab, asked, held_by, wait_for

from lbdeploy.planning.desired import TEXTFILES, VRRP_METRICS


def test_it_says_what_keepalived_says(pair: Lab) -> None:
    """States, priorities, holders, servers, services and the last run; and a file planted in /tmp is not believed."""
    wait_for(lambda: held_by(pair, "lb1"))
    pair.on("lb2", "rm -f /tmp/keepalived.json; setpriv --reuid=65534 sh -c 'echo [] > /tmp/keepalived.json'")
    said = pair.do("status")
    nodes = {each["node"]: each for each in said["nodes"]}
    assert [nodes[name]["vrrp"]["state"] for name in ("lb1", "lb2")] == ["MASTER", "BACKUP"]
    assert nodes["lb1"]["vrrp"]["priority"] == 200
    assert [each["holders"] for each in said["vips"]] == [["lb1"], ["lb1"]]
    assert {each["check_status"] for each in said["servers"]} == {"L4OK"}
    assert all(service["active"] == "active" for each in said["nodes"] for service in each["services"])
    assert nodes["lb1"]["run"]["ended"]
    assert said["warnings"] == []
    assert pair.on("lb2", "rm /tmp/keepalived.json; ls /run | grep lbdeploy-status; true") == ""
    pair.on("lb1", "systemctl stop haproxy")
    wait_for(lambda: held_by(pair, "lb2"), 10)
    said = pair.do("status")
    assert {each["node"]: each["vrrp"]["state"] for each in said["nodes"]} == {"lb1": "FAULT", "lb2": "MASTER"}
    assert any("haproxy is inactive" in each["detail"] for each in said["warnings"])
    pair.on("lb1", "systemctl start haproxy")


def test_the_picture_of_a_live_pair_says_who_holds_what(pair: Lab) -> None:
    """`show --live`: the holder, the standby, and a server that is down, as the nodes themselves see them."""
    wait_for(lambda: held_by(pair, "lb1"))
    shown = pair.do("show", "--live")
    assert [(each["role"], each["state"]) for each in shown["nodes"]] == [("MASTER", "good"), ("BACKUP", "idle")]
    assert [vip["holders"] for each in shown["networks"] for vip in each["vips"]] == [["lb1"], ["lb1"]]
    assert {each["state"] for each in shown["frontends"][0]["servers"]} == {"good"}
    pair.lab("stop", "master2")
    wait_for(lambda: pair.do("show", "--live")["frontends"][0]["servers"][1]["state"] == "bad", 60)
    pair.lab("start", "master2")


def test_other_programs_are_answered_in_their_formats(pair: Lab) -> None:
    """A check plugin, metrics, a test report, a merge request's comment, and events while a run goes on."""
    wait_for(lambda: held_by(pair, "lb1"))
    nagios = pair.run("verify", "--format", "nagios")
    assert (nagios.code, nagios.out.startswith("LBDEPLOY OK - k8s-api: VIPs on lb1, 3 of 3 servers up |")) == (0, True)
    metrics = pair.run("verify", "--format", "prometheus").out
    assert 'lbdeploy_vip_holder{cluster="k8s-api",vip="192.168.0.10",network="external",node="lb1"} 1' in metrics
    assert 'lbdeploy_package_version{cluster="k8s-api",node="lb2",package="keepalived",version="' in metrics
    pair.on("lb2", "systemctl stop haproxy")
    nagios = pair.run("verify", "--format", "nagios")
    assert (nagios.code, nagios.out.split()[1]) == (2, "CRITICAL")
    assert "<failure" in pair.run("verify", "--format", "junit").out
    plan = pair.run("plan", "--format", "markdown")
    assert (plan.code, "| lb2 | start | service `haproxy` |" in plan.out) == (3, True)
    *events, end = [json.loads(line) for line in pair.run("up", "--events").out.splitlines()]
    assert (end["event"], end["command"], end["ok"]) == ("end", "up", True)
    assert {each["event"] for each in events} >= {"step", "done"}
    assert "lb2" in {each["node"] for each in events}


@pytest.mark.slow
def test_what_vrrp_does_is_written_for_the_node_exporter(pair: Lab) -> None:
    """A reload brings it and moves nothing; a move is in it at once; it goes with keepalived, or with its key."""
    wait_for(lambda: held_by(pair, "lb1"))
    for node in ("lb1", "lb2"):
        pair.on(node, f"mkdir -p {TEXTFILES}")
    hosts = pair.file.read_text()
    pair.edit("[vrrp]\n", '[metrics]\nnetwork = "management"\nvrrp = true\n\n[vrrp]\n')
    with traffic(pair, *VIPS) as seen:
        pair.do("up")
        wait_for(lambda: [told(pair, node) for node in ("lb1", "lb2")] == [("MASTER", "2", "0"), ("BACKUP", "0", "0")])
    assert seen["failures"] == []
    pair.on("lb1", "systemctl stop haproxy")
    wait_for(lambda: told(pair, "lb2") == ("MASTER", "2", "1"), 5)
    wait_for(lambda: told(pair, "lb1") == ("FAULT", "0", "1"), 5)
    pair.on("lb1", "systemctl start haproxy")
    pair.on("lb2", "systemctl stop keepalived")
    assert told(pair, "lb2") is None
    pair.on("lb2", "systemctl start keepalived")
    pair.file.write_text(hosts)
    pair.do("up")
    assert [told(pair, node) for node in ("lb1", "lb2")] == [None, None]
    assert pair.on("lb1", f"ls {VRRP_METRICS} 2> /dev/null; true") == ""
    assert pair.do("plan")["changes"] == []
    pair.run("rollback")  # the key is not in hosts.toml: that it differs is told, and that is all
    wait_for(lambda: told(pair, "lb1") and told(pair, "lb2"))
    assert {each["action"] for each in pair.do("plan", code=3)["changes"]} <= {"update", "remove", "reload"}
    pair.do("up")
    assert [told(pair, node) for node in ("lb1", "lb2")] == [None, None]


def told(lab: Lab, node: str) -> tuple[str, str, str] | None:
    """The state, the number of VIPs and of moves that a node exporter would read there."""
    text = lab.on(node, f"cat {TEXTFILES}/lbdeploy-vrrp.prom 2> /dev/null; true")
    states = re.findall(r'^lbdeploy_vrrp_state{.*state="(\w+)"} 1$', text, re.MULTILINE)
    numbers = re.findall(r"^lbdeploy_vrrp_(?:vips|transitions_total){.*} (\d+)$", text, re.MULTILINE)
    return (*states, *numbers) if text else None  # type: ignore[return-value]


def lines(watching: subprocess.Popen[str], seconds: float) -> list[tuple[float, Any]]:
    """The documents of so many seconds, with the time of each."""
    found, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert watching.stdout
        found.append((time.monotonic(), json.loads(watching.stdout.readline())))
    return found


def watch(lab: Lab) -> subprocess.Popen[str]:
    argv = [LBDEPLOY, "-f", str(lab.file), "--lab", "--json", "status", "--watch"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def mute(lab: Lab, node: str) -> Iterator[None]:
    """A node that takes connections, and whose sshd says nothing."""
    lab.on(node, "systemctl kill --signal=SIGSTOP ssh")
    try:
        yield
    finally:
        lab.on(node, "systemctl kill --signal=SIGCONT ssh")


def test_a_node_that_is_dead_already_holds_up_nobody(pair: Lab) -> None:
    """Who holds what is shown within seconds, and of lb2 that it has not answered yet; with --watch it comes later."""
    reachable = {"lb1": True, "lb2": False}
    wait_for(lambda: held_by(pair, "lb1"))
    with mute(pair, "lb2"):
        said = pair.do("status", code=4)
        assert said["duration_s"] < 8  # a session gives up after 14 s, and a connection after 10
        assert {each["node"]: each["reachable"] for each in said["nodes"]} == reachable
        assert [(each["holders"], each["unknown"]) for each in said["vips"]] == [(["lb1"], ["lb2"])] * 2
        assert (said["error"]["type"], said["error"]["node"]) == ("Connect", "lb2")
        began, watching = time.monotonic(), watch(pair)
        ((at, first), *_) = lines(watching, 0.1)
    try:
        assert at - began < 8
        assert {each["node"]: each["reachable"] for each in first["nodes"]} == reachable
        wait_for(lambda: all(each["reachable"] for each in lines(watching, 1)[-1][1]["nodes"]), 30)
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=20)


def test_a_node_that_hangs_delays_nobody(pair: Lab) -> None:
    """A document every two seconds, also while lb2 says nothing: only lb2 is told to be silent, and it comes back."""
    watching = watch(pair)
    try:
        assert all(each["reachable"] for _, document in lines(watching, 3) for each in document["nodes"])
        pair.lab("cut", "lb2", "--network", "management")
        hung = lines(watching, 9)
        times = [at for at, _ in hung]
        apart = sorted(later - earlier for earlier, later in pairwise(times))
        assert apart[len(apart) // 2] < 3
        assert apart[-1] < 6  # one that a busy machine delays; its session to lb2 gives up after 14 s
        assert {each["node"]: each["reachable"] for each in hung[-1][1]["nodes"]} == {"lb1": True, "lb2": False}
        assert hung[-1][1]["exit_code"] == 4
        pair.lab("join", "lb2")
        wait_for(lambda: all(each["reachable"] for each in lines(watching, 1)[-1][1]["nodes"]), 30)
    finally:
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert json.loads(out.splitlines()[-1])["error"]["type"] == "InterruptedRun"
    assert "Traceback" not in err


def test_the_live_screen_ends_with_q_and_stays(pair: Lab) -> None:
    """With exit code 0; what was seen last stands on the terminal afterwards."""
    wait_for(lambda: held_by(pair, "lb1"))
    shown = asked(pair, "q quit", "q", "status", "--watch", term="xterm")
    assert shown.code == 0
    assert "k8s-api" in shown.out
    left = shown.err.rpartition("\x1b[?1049l")[2]
    assert "HEALTHY" in left
    assert "master3" in left


def test_the_past_is_told_by_what_nodes_and_this_machine_remember(
    pair: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change, a handover, a drill with its cost, a haproxy that was stopped by hand: in the order of their times."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    wait_for(lambda: held_by(pair, "lb1"))
    pair.edit("advert_interval = 1", "advert_interval = 0.5")
    acts = [("up",), ("handover",), ("handover", "--back"), ("drill", "haproxy")]
    done = [pair.run("--json", *each).json for each in acts]  # how much clients lose is for other tests to judge
    wait_for(lambda: held_by(pair, "lb1"), 30)
    time.sleep(2)  # what happens within a second of a command is told as its doing
    pair.on("lb1", "systemctl stop haproxy")
    wait_for(lambda: held_by(pair, "lb2"), 10)
    page = tmp_path / "past.html"
    before = len(pair.run("--json", "history", env={"XDG_STATE_HOME": str(tmp_path / "other")}).json["events"])
    said = pair.do("history", "--html", str(page))["events"]
    assert [each["at"] for each in said] == sorted(each["at"] for each in said)
    mine = [each for each in said if each["kind"] != "move" and "exit_code" in each]
    costs = ("exit_code", "outage_ms", "expected_ms")
    assert [(each["kind"], *map(each.get, costs)) for each in mine] == [
        (each["command"], *map(each.get, costs)) for each in done
    ]
    assert mine[3]["outage_ms"] > 0
    assert [each["what"] for each in mine[0]["changed"]] == ["/etc/keepalived/keepalived.conf"] * 2
    moves = [each for each in said if each["kind"] == "move"][-5:]
    assert [(each["from"], each["to"]) for each in moves] == [("lb1", "lb2"), ("lb2", "lb1")] * 2 + [("lb1", "lb2")]
    causes = [set(each.get("during", "").split()) & {"up", "handover", "drill"} for each in moves]
    assert causes == [{"handover"}, {"handover"}, {"drill"}, {"drill"}, set()]
    assert len(said) - before == 2, "the handovers; of the others, nodes know without this machine's logs"
    assert "handover --back" in page.read_text()
    pair.on("lb1", "systemctl start haproxy")
