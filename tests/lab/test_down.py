"""`down` on real nodes: they are as before lbdeploy came, and clients notice as late, or as little, as can be."""

from __future__ import annotations

import signal
import subprocess

import pytest
from clients import traffic, turned_away
from harness import LBDEPLOY, RELOADED, VIPS, Lab, asked, held_by, wait_for
from runs import begin, looks

# Everything but what is in memory, what is logged or cached, and what this test writes: kind, mode, owner, path and
# goal of a link, and what is in the files below /etc.
TREE = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /root -o -path /var/log -o -path /srv \
    -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \) -prune -o \
    -printf '%y %m %u %g %p %l\n' | LC_ALL=C sort -k 5
find /etc -type f ! -name '*passwd*' ! -name '*shadow*' ! -name '*group*' ! -name '*subuid*' ! -name '*subgid*' \
    ! -name ld.so.cache -exec sha256sum {} + | LC_ALL=C sort -k 2
sysctl net.ipv4.ip_nonlocal_bind net.ipv6.ip_nonlocal_bind
ls /run/lbdeploy-handover 2>&1
"""
PACKAGES = "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'"
SERVICES = f"{RELOADED}systemctl is-active haproxy keepalived; systemctl is-enabled haproxy keepalived"

# What Debian's own packages leave behind when they are purged; and, where they stay, all that came with them.
LEFT = ("/var/lib/haproxy", "/var/lib/ucf", "/etc/.pwd.lock")

# A node with an administrator's own haproxy, which runs, and keepalived, which does not.
OWN = r"""
apt-get -q update >/dev/null && apt-get -q -y install --no-install-recommends haproxy keepalived >/dev/null 2>&1
printf 'frontend own\n  bind 127.0.0.1:8404\n  timeout client 1s\n' > /etc/haproxy/own.cfg
chown root:haproxy /etc/haproxy/own.cfg && chmod 640 /etc/haproxy/own.cfg
ln -sf own.cfg /etc/haproxy/haproxy.cfg
systemctl restart haproxy
printf '# mine\n' > /etc/keepalived/keepalived.conf && chmod 600 /etc/keepalived/keepalived.conf
systemctl stop keepalived && systemctl mask --quiet keepalived
sysctl -q -w net.ipv4.ip_nonlocal_bind=1
"""


def tree(lab: Lab, node: str, *but: str) -> list[str]:
    """Everything on a node's disk, but for some paths and what is below them."""
    lines = lab.on(node, TREE, check=False).splitlines()
    return [line for line in lines if not any(f" {path}" in line for path in but)]


def gone(lab: Lab, node: str) -> bool:
    return lab.on(node, "systemctl is-active haproxy keepalived", check=False).split() == ["inactive", "inactive"]


def test_down_gives_back_what_was_there_before(bare: Lab) -> None:
    """On a bare node nothing is left, and an administrator's own files, modes, links and services are there again.

    Standby first; a second time there is nothing to do; `up` afterwards is a first one.
    """
    bare.on("lb2", OWN)
    before = {node: tree(bare, node, *LEFT) for node in ("lb1", "lb2")}
    packages = {node: bare.on(node, PACKAGES) for node in before}
    services = bare.on("lb2", SERVICES, check=False)
    assert services.split() == ["active", "inactive", "enabled", "masked"]
    assert bare.run("up", "--ignore", "ends").code == 0  # a frontend of the own haproxy.cfg
    assert bare.do("down", code=2)["error"]["state"] == "nothing was contacted"
    assert bare.do("down", "--yes")["removed"] == ["lb2", "lb1"]
    assert bare.on("lb2", SERVICES, check=False) == services
    assert bare.on("lb1", SERVICES, check=False).split() == ["inactive", "inactive", "disabled", "disabled"]
    assert [bare.holder(vip) for vip in VIPS] == [[], []]
    assert differing(before["lb2"], tree(bare, "lb2", *LEFT, "/var/lib/lbdeploy"), " /usr/") == []  # socat stays
    assert bare.on("lb1", "dpkg --verify haproxy keepalived") == ""
    assert bare.do("down", "--yes")["changes"] == []

    assert bare.run("up", "--ignore", "ends").code == 0  # a frontend of the own haproxy.cfg
    assert bare.do("down", "--yes", "--purge")["removed"] == ["lb2", "lb1"]
    assert {node: bare.on(node, PACKAGES) for node in before} == packages
    assert {node: differing(before[node], tree(bare, node, *LEFT)) for node in before} == {"lb1": [], "lb2": []}
    assert bare.on("lb2", SERVICES, check=False) == services
    assert bare.on("lb2", "systemctl --failed --no-legend") == ""
    assert bare.do("down", "--yes", "--purge")["changes"] == []


def differing(before: list[str], after: list[str], but: str = "") -> list[str]:
    """The lines that only one of two trees has."""
    return sorted(line for line in set(before) ^ set(after) if not but or but not in line)


def test_a_holder_that_is_retired_hands_over_first(pair: Lab) -> None:
    """Nobody is turned away; the node that is left stays; and whoever says no changes nothing."""
    question = ("down", "--limit", "lb1")
    for refusal in ("n\n", "\x03"):
        refused = asked(pair, "Remove the load balancer from these nodes?", refusal, *question)
        assert "move to another node first" in " ".join(refused.out.split())
        assert (refused.code, "othing was changed" in refused.err) == (130, True)
    assert pair.do("plan")["changes"] == []
    with traffic(pair, *VIPS) as seen:
        approved = asked(pair, "Remove the load balancer from these nodes?", "y\n", *question)
        assert (approved.code, "Removed: lb1: as before lbdeploy" in approved.err) == (0, True)
        assert f"then: lbdeploy -f {pair.file} --lab up\r\n" in approved.err
        assert [pair.holder(vip) for vip in VIPS] == [["lb2"], ["lb2"]]
        error = pair.do("down", "--limit", "lb2", "--yes", code=1)["error"]
        assert error["type"] == "LastNode"
        assert gone(pair, "lb1")
        assert pair.run("up").code == 0
        wait_for(lambda: all(pair.holder(vip) == ["lb1"] for vip in VIPS), 30)
    assert turned_away(seen) == []
    assert seen["probes"] > 100


def test_down_that_was_cut_short_is_run_again(pair: Lab) -> None:
    """A laptop that dies leaves the node as it was; Ctrl-C stops after a node; one that is not there is named."""
    kill_at(pair, "lb2: stop haproxy", signal.SIGKILL)
    wait_for(lambda: pair.on("lb2", "systemctl is-active keepalived", check=False) == "active", 30)
    wait_for(lambda: pair.on("lb2", "systemctl is-active lbdeploy", check=False) != "active", 30)
    assert pair.run("verify", "--wait", "30").code == 0

    assert kill_at(pair, "lb2: stop keepalived", signal.SIGINT) == 130
    assert gone(pair, "lb2")
    assert [pair.holder(vip) for vip in VIPS] == [["lb1"], ["lb1"]]
    patient = pair.file.read_text()
    pair.edit('user = "ops"', 'user = "ops"\nconnect_timeout = 2')
    pair.lab("stop", "lb1")
    document = pair.do("down", "--yes", code=4)
    assert document["error"]["node"] == "lb1"
    assert "it takes the VIPs if it runs" in document["error"]["state"]
    pair.lab("start", "lb1")
    pair.file.write_text(patient)
    assert pair.do("down", "--yes")["removed"] == ["lb1"]
    assert gone(pair, "lb1")


JOURNAL = "/var/lib/lbdeploy/journal"
SLOW = "printf '#!/bin/sh\\nsleep 1\\nexec /bin/sync \"$@\"\\n' > /usr/local/sbin/sync; chmod 755 /usr/local/sbin/sync"


@pytest.mark.parametrize("moment", ["confirmed", "kept"])
def test_power_that_is_lost_as_down_is_confirmed_leaves_nothing_half_gone(pair: Lab, moment: str) -> None:
    """Before the change is on the disk, the node is as before once it has started; from then on, lbdeploy is gone."""
    before = looks(pair)[1]
    pair.on("lb2", f"{SLOW}; : > {JOURNAL}")
    process = begin(pair, "--json", "down", "--limit", "lb2", "--yes")
    # Seen and held by one shell there: the moment lasts for a second or two.
    pair.on("lb2", f"until grep -qsx {moment} {JOURNAL}; do sleep 0.02; done; systemctl kill -s STOP lbdeploy")
    pair.lab("stop", "lb2")
    process.kill()
    process.communicate()
    assert held_by(pair, "lb1")
    pair.lab("start", "lb2")
    pair.on("lb2", "rm /usr/local/sbin/sync; systemctl is-system-running --wait", check=False)
    assert pair.on("lb2", "ls /etc/systemd/system | grep lbdeploy-undo", check=False) == ""
    assert gone(pair, "lb2") is (moment == "kept")
    if moment == "confirmed":
        wait_for(lambda: looks(pair)[1] == before, 30)
    assert pair.run("down", "--limit", "lb2", "--yes").code == 0
    assert gone(pair, "lb2")


def kill_at(lab: Lab, line: str, number: int) -> int:
    """Send `down` a signal when it says that line; its exit code."""
    run = subprocess.Popen(
        [LBDEPLOY, "-f", str(lab.file), "--lab", "down", "--yes"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr
    assert any(each.strip() == line for each in run.stderr)
    run.send_signal(number)
    run.communicate(timeout=60)
    return run.returncode
