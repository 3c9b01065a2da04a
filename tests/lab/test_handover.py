"""`lbdeploy handover`: the VIPs move in a planned way, and stay where they went, while a client connects to them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from clients import cut, traffic, turned_away
from harness import LBDEPLOY, VIPS, Lab, all_answered, held_by, sound, wait_for
from runs import begin, until

LIFT = "/run/lbdeploy-handover"


@pytest.fixture
def home(pair: Lab) -> Iterator[Lab]:
    """The pair with its VIPs on lb1, and again so after the test."""
    settle(pair)
    yield pair
    pair.file.write_text(pair.original)
    pair.run("up")
    settle(pair)


def settle(lab: Lab) -> None:
    wait_for(lambda: lab.run("verify").code == 0, 60)
    lab.do("handover", "--back")
    wait_for(lambda: held_by(lab, "lb1"), 30)


def begun(lab: Lab) -> subprocess.Popen[str]:
    """A handover to lb2 that has set lb2's priority offset, and waits for it to take the VIPs."""
    argv = [LBDEPLOY, "-f", str(lab.file), "--lab", "handover", "--to", "lb2"]
    run = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: lab.on("lb2", f"cat {LIFT}", check=False) == "101", 20)
    return run


def test_vips_are_handed_over_and_come_back(home: Lab) -> None:
    """No new connection fails, by the command's count and by another client's, whatever is reloaded in between.

    Those on their way in the very instant are asked for again by TCP, which both say, too.
    Drift does not keep a node from taking them, and is told of.
    """
    with traffic(home, *VIPS) as seen:
        there = home.do("handover", "--to", "lb2")
        assert held_by(home, "lb2")
        for node in ("lb1", "lb2"):
            home.on(node, "systemctl reload keepalived")
        home.edit("fall = 2", "fall = 3")
        home.do("up")
        assert held_by(home, "lb2")
        again = home.do("handover", "--to", "lb2")
        home.on("lb1", "echo '# mine' >> /etc/haproxy/haproxy.cfg")
        back = home.do("handover", "--back", code=6)
    assert held_by(home, "lb1")
    assert back["error"]["message"].startswith("lb1 holds the VIPs, but the cluster is not healthy: lb1: /etc/haproxy")
    for document, ends in ((there, ("lb1", "lb2")), (back, ("lb2", "lb1"))):
        assert (document["from"], document["to"]) == ends
        assert all_answered(document)
        assert document["outage_ms"] <= document["expected_ms"] + 300
        assert document["expected_ms"] == 0
        assert document["probes"] > 100
        assert document["late"] + document["failed"] <= 5 * len(VIPS)
        assert document["streams"]["opened"] == 2
        # And what was being answered in that very moment: five new connections of each VIP at most (gaps.MOMENT).
        assert 2 <= document["streams"]["broken"] <= 2 + 5 * len(VIPS)
    assert (again["from"], again["to"], again["probes"]) == ("lb2", "lb2", 0)
    assert there["held"]
    assert not back["held"]
    assert turned_away(seen) == []
    assert cut(seen, 2) == []


def test_it_ends_with_the_next_start_of_its_node(home: Lab) -> None:
    """`verify` says why the standby holds the VIPs and until when; a node's start forgets its priority offset."""
    said = home.run("handover")
    assert said.code == 0
    assert "--lab handover --back" in said.out
    assert "lb1 takes them then, after preempt_delay (2 s)" in said.out
    verified = home.do("verify")
    (why,) = [each["detail"] for each in verified["findings"] if each["check"] == "holder"]
    assert why.startswith("lb2 holds the VIPs after a handover")
    home.lab("stop", "lb2")
    wait_for(lambda: held_by(home, "lb1"), 20)
    home.lab("start", "lb2")
    wait_for(lambda: home.run("verify").code == 0, 60)
    assert held_by(home, "lb1")


def test_a_node_that_is_not_healthy_is_refused(home: Lab) -> None:
    """With its haproxy stopped a standby is refused, and so is a choice without one; nothing moves."""
    home.on("lb2", "systemctl stop haproxy")
    for args in ((), ("--to", "lb2")):
        refused = home.do("handover", *args, code=1)["error"]
        assert "haproxy is not running there" in refused["message"]
        assert refused["state"] == "nothing was moved; lb1 holds the VIPs"
    assert held_by(home, "lb1")
    home.on("lb2", "systemctl start haproxy")


def test_without_preemption_it_costs_the_skew(home: Lab) -> None:
    """Priorities move nothing then, so the holder leaves the election for a moment. `up` can move the VIPs, too."""
    home.edit("preempt_delay = 2", "preempt = false")
    home.do("up")
    moved = home.do("handover")
    assert held_by(home, "lb2")
    assert 0 < moved["outage_ms"] <= moved["expected_ms"] + 300
    home.do("up", "--reinstall", "keepalived")
    assert [home.on(node, f"cat {LIFT}") for node in ("lb1", "lb2")] == ["0", "0"]
    sound(home)


def test_what_waited_for_it_goes_by_where_the_vips_are_then(home: Lab) -> None:
    """The next handover looks again once it has the lock, and so does an `up` that waited for that one."""
    home.edit("preempt_delay = 2", "preempt_delay = 4")
    home.do("up")
    with traffic(home, *VIPS) as seen:
        there = begun(home)
        back = begin(home, "--json", "handover", "--to", "lb1", "--lock-wait", "60")
        until(back, "waiting for the lock")
        assert there.wait(30) == 0
        until(back, "probe the VIPs")  # it has the lock, and not the `up`
        home.edit("fall = 2", "fall = 3")
        assert {each["node"] for each in home.do("up", "--lock-wait", "60")["changes"]} == {"lb1", "lb2"}
        moved = json.loads(back.communicate(timeout=30)[0])
        assert (moved["exit_code"], moved["from"], moved["to"]) == (0, "lb2", "lb1")
        assert held_by(home, "lb1")
    assert turned_away(seen) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_one_that_is_ended_leaves_one_holder(home: Lab, number: signal.Signals) -> None:
    """Ctrl-C while it waits takes the handover back; after kill -9, the node goes on by itself."""
    home.edit("preempt_delay = 2", "preempt_delay = 5")
    home.do("up")
    with traffic(home, *VIPS) as seen:
        run = begun(home)
        run.send_signal(number)
        said, _ = run.communicate(timeout=30)
        ends: dict[Any, str] = {signal.SIGINT: "lb1", signal.SIGKILL: "lb2"}
        wait_for(lambda: held_by(home, ends[number]), 20)
    if number is signal.SIGINT:
        assert run.returncode == 130
        assert "lb1 holds the VIPs, as before" in said
        assert f"to move them after all: lbdeploy -f {home.file} --lab handover --to lb2" in said
        assert home.on("lb2", f"cat {LIFT}") == "0"
    assert turned_away(seen) == []
