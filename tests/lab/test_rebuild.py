"""`lbdeploy rebuild`: a freshly installed host becomes a member again, while clients use the other node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import cut, traffic, turned_away
from harness import LBDEPLOY, TOP, VIPS, Lab, held_by, sound, wait_for
from runs import active, begin, until

SCRIPT = TOP / "docs/scripts/rebuild-node"
CONF = "/etc/keepalived/keepalived.conf"


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
    back = pair.run("rebuild", "lb1", "--host-key", fingerprint(pair, "lb1"), "--wait")
    assert back.code in (0, 6), back.err  # 6: what a test did to lb2 is not undone by this


@pytest.fixture
def elsewhere(fresh: Lab) -> Iterator[Lab]:
    """The fresh lb1 has another address, and an interface another name, as hosts.toml says; as before after it."""
    fresh.edit('management = "192.168.1.11"', 'management = "192.168.1.19"\ninterfaces = { external = "enp1s0" }')
    fresh.lab("up")
    yield fresh
    fresh.file.write_text(fresh.original)
    fresh.lab("up")
    fresh.lab("fresh", "lb1")
    wait_for(lambda: held_by(fresh, "lb2"), 20)


def test_the_preferred_master_is_rebuilt_by_the_script(fresh: Lab, tmp_path: Path) -> None:
    """The script in docs/ waits for the host, and does it unattended; nobody is turned away, the VIPs' return included.

    lb2 is not touched.
    """
    untouched = fresh.on(
        "lb2", "systemctl show -p MainPID,ActiveEnterTimestamp haproxy keepalived; ls -l /etc/keepalived"
    )
    known = Path(fresh.known_hosts).read_text().splitlines()
    env = {**os.environ, "PATH": f"{Path(LBDEPLOY).parent}:{os.environ['PATH']}"}
    argv = [str(SCRIPT), "lb1", fingerprint(fresh, "lb1"), "-f", str(fresh.file), "--lab"]
    fresh.lab("stop", "lb1")
    told = tmp_path / "stderr"
    with traffic(fresh, *VIPS) as seen, told.open("w") as stderr:
        run = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, text=True, env=env)
        wait_for(lambda: "lb1: 192.168.1.11 can't be reached" in told.read_text(), 40)
        fresh.lab("start", "lb1")
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said + told.read_text()
    document = json.loads(said)
    assert (document["command"], document["role"], document["returns"]) == ("rebuild", "holder", False)
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
    assert f"--lab rebuild lb1 --host-key {new}" in refused["fix"]
    wrong = fresh.do("rebuild", "lb1", "--host-key", fingerprint(fresh, "lb2"), code=4)["error"]
    assert "as stated" in wrong["message"]
    assert fresh.do("rebuild", "lb1", "--host-key", "MD5:00", code=2)["error"]["type"] == "Usage"
    assert Path(fresh.known_hosts).read_text() == before
    assert fresh.on("lb1", "ls /etc/haproxy /var/lib/lbdeploy 2>&1; true").count("No such file") == 2
    # Any kind of key that the host has will do. Where a handover holds the VIPs elsewhere, they are not waited for.
    fresh.on("lb2", "echo 101 > /run/lbdeploy-handover")
    held = fresh.do("rebuild", "lb1", "--host-key", fingerprint(fresh, "lb1", "ecdsa"), "--wait")
    assert (held["role"], held["returns"]) == ("standby", False)
    assert held["why"].startswith("lb2 holds the VIPs after a handover")
    assert f"lb1 is a standby: {held['why']}" in fresh.run("rebuild", "lb1", "--wait").out
    fresh.on("lb2", "echo 0 > /run/lbdeploy-handover")
    assert fresh.do("rebuild", "lb1", "--wait")["changes"] == []
    assert held_by(fresh, "lb1")


def test_a_host_that_moved_comes_back_and_one_that_was_begun_on_is_finished(elsewhere: Lab) -> None:
    """lb2 is told of the address, and of nothing else; a command that was killed half-way is run again as it was."""
    lab, text = elsewhere, elsewhere.file.read_text()
    lab.edit('\ninterfaces = { external = "enp1s0" }', "")
    refused = lab.do("rebuild", "lb1", "--host-key", fingerprint(lab, "lb1"), code=1)["error"]
    assert (refused["node"], refused["state"]) == ("lb1", "nothing was changed")
    assert "it has: enp1s0, ens32" in refused["fix"]
    lab.file.write_text(text)
    lab.on("lb2", f"for file in {CONF} /etc/haproxy/haproxy.cfg; do echo '# mine' >> $file; done")
    conf = lab.on("lb2", f"cat {CONF}")
    rest = "for each in haproxy keepalived; do systemctl show -p MainPID $each; done; cat /etc/haproxy/haproxy.cfg"
    untouched = lab.on("lb2", rest)
    again = ("rebuild", "lb1", "--host-key", fingerprint(lab, "lb1"), "--wait", "--lock-wait", "60")
    with traffic(lab, *VIPS) as seen:
        first = subprocess.Popen([LBDEPLOY, "-f", str(lab.file), "--lab", *again], stderr=subprocess.DEVNULL)
        wait_for(lambda: lab.on("lb1", "systemctl is-active keepalived", check=False) == "active", 40)
        first.send_signal(signal.SIGSTOP)  # a laptop that falls asleep, while the node waits to be confirmed
        time.sleep(8)  # well over preempt_delay and three adverts
        assert held_by(lab, "lb2")
        first.send_signal(signal.SIGKILL)
        first.wait()
        document = lab.do(*again, code=6)
    assert document["role"] == "holder"
    assert document["error"]["message"].startswith("lb1 is a member again, but the cluster is not healthy: lb2: ")
    assert {each["node"] for each in document["findings"] if not each["ok"]} == {"lb2"}
    assert held_by(lab, "lb1")
    assert turned_away(seen) == []
    assert cut(seen, 1) == []
    assert lab.on("lb2", f"cat {CONF}") == conf.replace("192.168.1.11", "192.168.1.19")
    assert lab.on("lb2", rest) == untouched


def test_another_node_must_hold_the_vips_and_is_not_touched(fresh: Lab) -> None:
    """Where nobody holds the VIPs, nothing is begun. Drift on the holder is told of, and left to `up`."""
    key = ("--host-key", fingerprint(fresh, "lb1"))
    fresh.on("lb2", "systemctl stop keepalived")
    refused = fresh.do("rebuild", "lb1", *key, code=1)["error"]
    assert refused["message"].startswith("no other node holds the VIPs alone")
    assert refused["state"] == "nothing was changed"
    fresh.on("lb2", "echo '# mine' >> /etc/keepalived/check-haproxy; systemctl start keepalived")  # or it is busy
    wait_for(lambda: held_by(fresh, "lb2"), 20)
    drifted = fresh.do("rebuild", "lb1", *key, code=6)
    assert {each["node"] for each in drifted["changes"]} == {"lb1"}
    assert [each["node"] for each in drifted["findings"] if each["check"] == "file" and not each["ok"]] == ["lb2"]
    assert fresh.on("lb2", "tail -n 1 /etc/keepalived/check-haproxy") == "# mine"


def test_a_node_does_not_start_beside_a_holder_that_it_would_not_hear(fresh: Lab) -> None:
    """hosts.toml has another router ID than the holder: neither `rebuild` nor `up` begins, until it is put back."""
    fresh.edit("router_id = 101", "router_id = 102")
    key = ("--host-key", fingerprint(fresh, "lb1"))
    with traffic(fresh, *VIPS) as seen:
        refused = fresh.do("rebuild", "lb1", *key, code=1)["error"]
        assert refused["message"].startswith(
            "lb2 runs, is not to be changed, and has virtual_router_id 101 instead of 102"
        )
        assert (refused["node"], refused["state"]) == ("lb1", "nothing was changed")
        last = fresh.do("up", code=1)["error"]
        assert last["state"] == "lb2 was left as it is"
        assert "put that back in hosts.toml as lb2 has it" in last["fix"]
        assert "No such file" in fresh.on("lb1", f"ls {CONF} 2>&1; true")
        fresh.file.write_text(fresh.original)
        assert fresh.do("rebuild", "lb1", *key)["ok"]
    assert turned_away(seen) == []


def test_the_holder_dies_while_a_node_that_comes_back_waits_to_be_confirmed(pair: Lab) -> None:
    """That node has taken the VIPs then, and nobody else could: what it got stays, and the run says who is lost.

    The rest of the pair comes back by itself.
    """
    pair.on("lb1", "systemctl stop keepalived haproxy")
    wait_for(lambda: held_by(pair, "lb2"), 20)
    run = begin(pair, "--json", "up")
    until(run, "lb1 changed: it stays only if all is well")
    run.send_signal(signal.SIGSTOP)  # or it would be confirmed first
    pair.lab("stop", "lb2")
    wait_for(lambda: held_by(pair, "lb1"), 15)
    run.send_signal(signal.SIGCONT)
    said = json.loads(run.communicate(timeout=120)[0])
    assert held_by(pair, "lb1")
    assert not active(pair, "lb1")
    assert (said["exit_code"], said["error"]["node"]) == (1, "lb2")  # as any node that a run leaves out
    pair.lab("start", "lb2")
    wait_for(lambda: pair.run("verify").code == 0, 60)
