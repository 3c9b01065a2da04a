"""Bare machines become a pair, are rebooted, and one of them is installed anew."""

from __future__ import annotations

import pytest
from harness import VIPS, Done, held_by, wait_for
from machines import Machines

SETTINGS = (
    "sysctl net.ipv4.ip_nonlocal_bind net.ipv4.conf.all.promote_secondaries; systemctl is-enabled haproxy keepalived"
)


def sound(machines: Machines) -> None:
    """The pair is healthy, as hosts.toml says, and serves."""
    healthy = machines.run("verify", "--wait", "120")
    assert healthy.code == 0, healthy.out + healthy.err
    assert machines.do("up")["changes"] == []
    assert [machines.answers(vip) for vip in VIPS] == ["ok", "ok"]


def test_bare_machines_become_a_pair(machines: Machines, first_up: Done) -> None:
    """By one `up`, after which there is nothing left to do, with the VIPs on the preferred node."""
    assert first_up.code == 0, first_up.out + first_up.err
    assert {each["node"] for each in first_up.json["changes"]} == {"lb1", "lb2"}
    wait_for(lambda: held_by(machines, "lb1"), 60)
    sound(machines)


@pytest.mark.parametrize(("node", "other"), [("lb2", "lb1"), ("lb1", "lb2")], ids=["standby", "holder"])
def test_a_machine_that_is_rebooted(pair: Machines, node: str, other: str) -> None:
    """The other one holds the VIPs meanwhile; the boot leaves settings, services and VIPs as they were."""
    before = pair.on(node, SETTINGS)
    pair.machine[node].reboot()
    wait_for(lambda: held_by(pair, other), 60)
    pair.await_login(node)
    wait_for(lambda: held_by(pair, "lb1"), 30)
    assert pair.on(node, SETTINGS) == before
    sound(pair)


def test_a_machine_that_is_installed_anew(pair: Machines) -> None:
    """An empty disk and an unknown host key: `rebuild` makes it a member, and the VIPs come back to it."""
    pair.fresh("lb1")
    assert held_by(pair, "lb2")
    done = pair.run("rebuild", "lb1", "--host-key", pair.fingerprint("lb1"), "--wait")
    assert done.code == 0, done.out + done.err
    wait_for(lambda: held_by(pair, "lb1"), 60)
    sound(pair)
