"""What may happen to a run in its middle. After each fault the same two things hold: see `sound`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from conftest import LBDEPLOY, Lab, wait_for

pytestmark = pytest.mark.lab

VIPS = ("192.168.0.10", "192.168.1.10")
CONFIGS = "/etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf"


def sound(lab: Lab) -> None:
    """Every VIP is on exactly one node, no file is half written, and the next `up` has nothing left to do after one."""
    wait_for(lambda: all(len(lab.holder(vip)) == 1 for vip in VIPS))
    for node in ("lb1", "lb2"):
        assert lab.on(node, "keepalived -t -f /etc/keepalived/keepalived.conf 2>&1") == ""
        assert lab.on(node, "haproxy -c -f /etc/haproxy/haproxy.cfg >/dev/null 2>&1; echo $?") == "0"
        assert lab.on(node, "find /etc -name '*.lbdeploy-new'") == ""
    wait_for(lambda: lab.run("up").code == 0, 60)
    assert lab.do("up")["changes"] == []


def begin(lab: Lab, *args: str) -> subprocess.Popen[str]:
    """Start lbdeploy in the lab, and go on."""
    argv = [LBDEPLOY, "-f", str(lab.file), "--lab", *args]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def until(process: subprocess.Popen[str], text: str) -> None:
    """Read the progress of a run until it says `text`."""
    assert process.stderr
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}")


@pytest.mark.parametrize("moment", ["apt-get install", "write the files", "start haproxy", "start keepalived"])
def test_a_killed_laptop_leaves_nodes_that_finish_by_themselves(session_lab: Lab, moment: str) -> None:
    """SIGKILL at a step of a first `up`: the step ends on the node, and the next run completes the cluster."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")
    process = begin(lab, "up")
    until(process, moment)
    process.kill()
    process.wait()
    locked = lab.run("up").code
    assert locked in (0, 5)
    wait_for(lambda: lab.run("up").code == 0, 60)
    sound(lab)


@pytest.fixture
def pair(session_lab: Lab) -> Iterator[Lab]:
    wait_for(lambda: session_lab.run("up").code == 0, 60)
    yield session_lab
    session_lab.file.write_text(session_lab.original)
    wait_for(lambda: session_lab.run("up").code == 0, 60)


def test_ctrl_c_says_what_goes_on_and_leaves_a_sound_pair(pair: Lab) -> None:
    """Interrupted in the middle of a change: exit 130, and the operator is told what the nodes do."""
    pair.on("lb2", "dpkg --purge socat 2>&1")
    process = begin(pair, "up")
    until(process, "apt-get install")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "by itself" in said
    assert "lbdeploy plan" in said
    sound(pair)


def test_a_full_disk_leaves_the_old_file(pair: Lab) -> None:
    """Where the new file has no room, the old one stays, and the error says how much is free."""
    pair.on(
        "lb2",
        "cp -a /etc/haproxy /root/kept; mount -t tmpfs -o size=64k tmpfs /etc/haproxy; cp -a /root/kept/. /etc/haproxy",
    )
    pair.on("lb2", "head -c 99999 /dev/zero > /etc/haproxy/fill", check=False)
    before = pair.on("lb2", f"sha256sum {CONFIGS}")
    try:
        pair.edit("fall = 2", "fall = 6")
        error = pair.do("up", code=1)["error"]
        assert "0 free" in error["message"]
        assert pair.on("lb2", f"sha256sum {CONFIGS}") == before
        assert pair.on("lb2", "ls -A /etc/haproxy | grep new", check=False) == ""
    finally:
        pair.on("lb2", "umount /etc/haproxy; rm -r /root/kept")
    sound(pair)


def test_dpkg_that_was_interrupted_is_seen_and_repaired(pair: Lab) -> None:
    """A package that was unpacked and never configured is shown in the plan, and configured by `up`."""
    pair.on("lb2", "cp /etc/apt/sources.list.d/* /root/ 2>/dev/null; apt-get -q update 2>&1; dpkg --purge socat 2>&1")
    pair.on("lb2", "cd /root && apt-get -q download socat 2>&1 && dpkg --unpack socat_*.deb 2>&1")
    changes = pair.do("plan", code=3)["changes"]
    assert ("lb2", "dpkg", "repair") in [(each["node"], each["name"], each["action"]) for each in changes]
    assert pair.run("up").code == 0
    assert pair.on("lb2", "dpkg-query -W -f '${db:Status-Status}' socat") == "installed"
    sound(pair)


def test_a_blackholed_connection_is_noticed_in_time(pair: Lab) -> None:
    """Packets vanish in mid-apply, with no reset: exit 4 within the deadline, and the node completes by itself."""
    slow = '#!/bin/sh\\ncase $* in *--unpack*) sleep 20 ;; esac\\nexec /usr/bin/dpkg.real "$@"\\n'
    pair.on("lb2", "dpkg --purge socat 2>&1; mv /usr/bin/dpkg /usr/bin/dpkg.real")
    pair.on("lb2", f"printf '{slow}' > /usr/bin/dpkg; chmod 755 /usr/bin/dpkg")
    process = begin(pair, "--json", "up")
    until(process, "apt-get install")
    time.sleep(1)
    try:
        pair.lab("cut", "lb2")
        cut = time.monotonic()
        out, _ = process.communicate(timeout=40)
        took = time.monotonic() - cut
        assert process.returncode == 4, out
        assert took < 16
        assert '"type": "Lost"' in out
    finally:
        pair.lab("join", "lb2")
        pair.on("lb2", "mv /usr/bin/dpkg.real /usr/bin/dpkg")
    wait_for(lambda: pair.run("up").code == 0, 90)
    sound(pair)
