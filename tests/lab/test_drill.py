"""Drills on real nodes. The outage is also measured by a client that is not lbdeploy's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import LBDEPLOY, Lab, wait_for

pytestmark = pytest.mark.lab

VIPS = ("192.168.0.10", "192.168.1.10")

# A client of one VIP, one short TLS connection after the other; prints its longest time between two answers.
CLIENT = """
import select, socket, ssl, sys, time
context = ssl._create_unverified_context()
last, longest = time.monotonic(), 0.0
while not select.select([sys.stdin], [], [], 0.02)[0]:
    began = time.monotonic()
    try:
        with socket.create_connection((sys.argv[1], 6443), 0.1) as plain, context.wrap_socket(plain):
            longest, last = max(longest, began - last), began
    except OSError:
        pass
print(longest)
"""


@contextmanager
def client(lab: Lab, vip: str) -> Iterator[dict[str, float]]:
    """A client at work within the block; afterwards, `gap` in the dictionary is the longest in seconds."""
    argv = [LBDEPLOY, "-f", str(lab.file), "lab", "exec", "client", sys.executable, "-c", CLIENT, vip]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen: dict[str, float] = {}
    try:
        yield seen
    finally:
        out, _ = process.communicate("end\n", timeout=30)
        seen["gap"] = float(out)


def begin(lab: Lab, *args: str) -> subprocess.Popen[str]:
    """Start a drill in the lab, and return when it has broken something."""
    argv = [LBDEPLOY, "-f", str(lab.file), "--lab", "drill", *args]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr
    assert any("undone in" in line for line in process.stderr)
    return process


def active(lab: Lab, node: str, unit: str = "haproxy") -> bool:
    return lab.on(node, f"systemctl is-active {unit}", check=False) == "active"


def placed(lab: Lab) -> bool:
    return all(len(lab.holder(vip)) == 1 for vip in VIPS)


@pytest.mark.parametrize(("kind", "target"), [("haproxy", 1.9), ("hang", 4.0), ("keepalived", 3.0), ("power", 3.7)])
def test_an_outage_is_as_short_as_predicted_and_measured_as_others_see_it(pair: Lab, kind: str, target: float) -> None:
    """Each kind: within its target, as predicted, the same as an independent client saw, and all is well after it."""
    with client(pair, VIPS[0]) as other:
        drill = pair.do("drill", kind)
    assert drill["outage_ms"] <= target * 1000
    assert drill["outage_ms"] <= drill["expected_ms"] + drill["tolerance_ms"]
    assert drill["outage_ms"] == pytest.approx(other["gap"] * 1000, abs=300)
    assert (drill["from"], drill["to"]) == ("lb1", "lb2")
    assert 0 < drill["failed"] < drill["probes"]
    assert drill["streams"] == {"opened": 2, "broken": 2}
    assert ("lb2", "enters MASTER") in [(each["node"], each["what"]) for each in drill["events"]]
    assert placed(pair)
    assert active(pair, "lb1")
    assert active(pair, "lb1", "keepalived")


def test_both_clients_see_the_same(pair: Lab) -> None:
    """The other node's own measurement agrees with the one made here; and the page has pictures, and no reference."""
    page = pair.file.parent / "drill.html"
    drill = pair.do("drill", "haproxy", "--report", str(page))
    outages = {view["client"]: view["outage_ms"] for view in drill["views"] if view["address"] == VIPS[0]}
    assert outages["lb2"] == pytest.approx(outages["here"], abs=150)
    text = page.read_text()
    assert text.count("<svg") == 1
    assert "http" not in text
    assert "lb2 enters MASTER" in " ".join(text.replace("<td>", " ").replace("</td>", " ").split())


def test_pulled_cables(pair: Lab) -> None:
    """A node that is cut off from everything is taken over from, and keeps the VIPs off after it is back."""
    pair.edit("preempt_delay = 2", "preempt_delay = 30")  # or it takes them before its haproxy has seen its servers
    pair.do("up")
    drill = pair.do("drill", "link")
    assert drill["outage_ms"] <= 3900
    assert drill["to"] == "lb2"
    assert any("after preempt_delay" in each for each in drill["after"])
    assert placed(pair)


def test_a_standby_node_is_not_missed(pair: Lab) -> None:
    """What breaks on the node that holds nothing costs clients nothing."""
    drill = pair.do("drill", "haproxy", "--node", "lb2", "--hold", "3")
    assert (drill["outage_ms"], drill["failed"], drill["expected_ms"]) == (0, 0, 0)
    assert (drill["from"], drill["to"]) == ("lb1", "lb1")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_what_was_broken_is_undone_whatever_happens(pair: Lab, sign: int) -> None:
    """Ctrl-C: undone at once, and told. SIGKILL: the node undoes it by itself."""
    process = begin(pair, "haproxy", "--hold", "5")
    wait_for(lambda: not active(pair, "lb1"))
    process.send_signal(sign)
    _, said = process.communicate(timeout=20)
    if sign == signal.SIGINT:
        assert process.returncode == 130
        assert "what was broken is undone" in said
        assert active(pair, "lb1")
    wait_for(lambda: active(pair, "lb1"), 15)
    wait_for(lambda: not active(pair, "lb1", "lbdeploy-drill.timer"))


def test_a_node_without_power_gets_it_back_also_when_lbdeploy_is_gone(pair: Lab) -> None:
    """SIGKILL while the power is cut."""
    process = begin(pair, "power", "--hold", "3")
    wait_for(lambda: "off" in pair.lbdeploy("lab", "status").out)
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: pair.run("verify").code == 0, 40)


def test_a_sick_pair_is_left_alone(pair: Lab) -> None:
    """Where there is no spare a drill would be an outage: refused, and nothing is touched."""
    pair.on("lb2", "systemctl stop haproxy")
    before = pair.on("lb1", "systemctl show -p MainPID haproxy keepalived")
    error = pair.do("drill", "haproxy", code=1)["error"]
    assert "lb2: haproxy" in error["message"]
    assert error["fix"] == "lbdeploy verify"
    assert pair.on("lb1", "systemctl show -p MainPID haproxy keepalived") == before


def test_two_drills_at_once(pair: Lab) -> None:
    """The second one is told of the first, and breaks nothing."""
    process = begin(pair, "haproxy", "--node", "lb2", "--hold", "12")
    pair.on("lb2", "systemctl start haproxy")  # so that the second finds nothing wrong
    wait_for(lambda: pair.run("verify").code == 0, 10)
    error = pair.do("drill", "hang", "--node", "lb2", code=5)["error"]
    out, _ = process.communicate(timeout=40)
    assert "another run is at work" in error["message"]
    assert "drill haproxy --node lb2" in error["message"]
    assert process.returncode == 0, out


def test_drills_end_in_time(pair: Lab) -> None:
    """What is broken is so for no longer than was asked for."""
    drill = pair.do("drill", "hang", "--node", "lb2", "--hold", "2")
    assert 2000 <= drill["broken_for_ms"] < 3500
