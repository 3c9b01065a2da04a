"""`lbdeploy rebuild`: a freshly installed host becomes a member again, while clients use the other node."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import cut, turned_away
from conftest import LBDEPLOY, TOP, VIPS, Lab, held_by, sound, traffic, wait_for

SCRIPT = TOP / "docs/scripts/rebuild-node"


def fingerprint(lab: Lab, node: str, kind: str = "ed25519") -> str:
    """As the node's console shows it."""
    return lab.on(node, f"ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub").split()[1]


@pytest.fixture
def fresh(pair: Lab) -> Iterator[Lab]:
    """The pair, after lb1 (the preferred MASTER) was installed anew: lb2 has the VIPs. Healthy again after the test."""
    before = Path(pair.known_hosts).read_text()
    pair.lab("fresh", "lb1")
    wait_for(lambda: held_by(pair, "lb2"), 20)
    pair.known_hosts_text("# mine\nother.example ssh-ed25519 AAAA\n" + before)
    yield pair
    pair.file.write_text(pair.original)
    pair.run("rebuild", "lb1", "--host-key", fingerprint(pair, "lb1"), "--wait")


def test_the_preferred_master_is_rebuilt_by_the_script(fresh: Lab) -> None:
    """The script in docs/ does it unattended; nobody is turned away, the VIPs' return included; lb2 is not touched."""
    untouched = fresh.on(
        "lb2", "systemctl show -p MainPID,ActiveEnterTimestamp haproxy keepalived; ls -l /etc/keepalived"
    )
    known = Path(fresh.known_hosts).read_text().splitlines()
    env = {**os.environ, "PATH": f"{Path(LBDEPLOY).parent}:{os.environ['PATH']}"}
    argv = [str(SCRIPT), "lb1", fingerprint(fresh, "lb1"), "-f", str(fresh.file), "--lab"]
    with traffic(fresh, *VIPS) as seen:
        run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120, env=env)
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads(run.stdout)
    assert document["command"] == "rebuild"
    assert {each["node"] for each in document["changes"]} == {"lb1"}
    assert {name for vip in document["vips"] for name in vip["holders"]} == {"lb1"}
    assert held_by(fresh, "lb1")
    assert turned_away(seen) == []
    assert cut(seen, 1) == []
    again = "systemctl show -p MainPID,ActiveEnterTimestamp haproxy keepalived; ls -l /etc/keepalived"
    assert fresh.on("lb2", again) == untouched
    now = Path(fresh.known_hosts).read_text().splitlines()
    assert now[:2] == known[:2]
    assert [line for line in now if "192.168.1.12" in line] == [line for line in known if "192.168.1.12" in line]
    assert fresh.do("rebuild", "lb1")["changes"] == []
    sound(fresh)


def test_a_changed_key_is_refused_with_both_fingerprints(fresh: Lab) -> None:
    """Without --host-key, or with another one, nothing is sent and known_hosts stays; the message says what to type."""
    before = Path(fresh.known_hosts).read_text()
    new = fingerprint(fresh, "lb1")
    refused = fresh.do("rebuild", "lb1", code=4)["error"]
    assert new in refused["message"]
    assert refused["message"].count("SHA256:") == 2
    assert f"lbdeploy rebuild lb1 --host-key {new}" in refused["fix"]
    wrong = fresh.do("rebuild", "lb1", "--host-key", fingerprint(fresh, "lb2"), code=4)["error"]
    assert "as stated" in wrong["message"]
    assert fresh.do("rebuild", "lb1", "--host-key", "MD5:00", code=2)["error"]["type"] == "Usage"
    assert Path(fresh.known_hosts).read_text() == before
    assert fresh.on("lb1", "ls /etc/haproxy /var/lib/lbdeploy 2>&1; true").count("No such file") == 2
    # Any kind of key that the host has will do, and a node that was begun on is finished.
    fresh.do("rebuild", "lb1", "--host-key", fingerprint(fresh, "lb1", "ecdsa"))
    assert fresh.do("rebuild", "lb1", "--wait")["changes"] == []
    assert held_by(fresh, "lb1")


def test_another_node_must_hold_the_vips_and_is_not_touched(fresh: Lab) -> None:
    """Where nobody holds the VIPs, nothing is begun. Drift on the holder is told of, and left to `up`."""
    key = ("--host-key", fingerprint(fresh, "lb1"))
    fresh.on("lb2", "systemctl stop keepalived")
    refused = fresh.do("rebuild", "lb1", *key, code=1)["error"]
    assert refused["message"].startswith("no other node holds the VIPs alone")
    assert refused["state"] == "nothing was changed"
    fresh.on("lb2", "systemctl start keepalived; echo '# mine' >> /etc/keepalived/check-haproxy")
    wait_for(lambda: held_by(fresh, "lb2"), 20)
    drifted = fresh.do("rebuild", "lb1", *key, code=6)
    assert {each["node"] for each in drifted["changes"]} == {"lb1"}
    assert [each["node"] for each in drifted["findings"] if each["check"] == "file" and not each["ok"]] == ["lb2"]
    assert fresh.on("lb2", "tail -n 1 /etc/keepalived/check-haproxy") == "# mine"
