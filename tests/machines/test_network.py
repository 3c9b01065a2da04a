"""systemd-networkd of a machine: it is restarted, and gets the machine's address from a DHCP server that goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dhcp import CLIENT, LEASE, serving
from harness import VIPS, held_by, wait_for
from machines import NODES, Machines

NETWORK = "/etc/systemd/network/10-ens32.network"
OWN = {"lb1": "192.168.1.11", "lb2": "192.168.1.12"}


@pytest.fixture
def restored(pair: Machines) -> Iterator[Machines]:
    """The pair; its network's files are as they were after the test."""
    texts = {node: pair.on(node, f"cat {NETWORK}") for node in NODES}
    yield pair
    for node, text in texts.items():
        write(pair, node, f"{text}\n")


def write(machines: Machines, node: str, text: str) -> None:
    """Another .network file, which networkd reads at once."""
    machines.on(
        node, f"cat > {NETWORK} << 'END'\n{text}END\nrm -rf {NETWORK}.d /etc/systemd/network/10-ens33.network.d"
    )
    machines.on(node, "networkctl reload; networkctl reconfigure ens32")
    wait_for(lambda: has_own(machines, node), 60)


def has_own(machines: Machines, node: str) -> bool:
    """Whether a machine has its own address on VRRP's network."""
    return f" {OWN[node]}/" in machines.on(node, "ip -4 -o addr show ens32")


def two_holders(machines: Machines, seconds: float) -> list[Any]:
    """What was seen of VIPs that were on more than one machine, within so many seconds."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        found += [held for vip in VIPS if len(held := machines.holder(vip)) > 1]
    return found


def told_by_doctor(machines: Machines) -> list[Any]:
    """What doctor says of networkd."""
    findings = machines.run("--json", "doctor").json["findings"]
    return [each for each in findings if "takes VIPs off" in each["detail"]]


def lost_at_restart(machines: Machines, node: str) -> list[str]:
    """The VIPs that a machine does not have for a moment, or longer, as its networkd is restarted."""
    restart = "(sleep 2; systemctl restart systemd-networkd) & timeout 15 ip monitor address | sed -n 's/^Deleted//p'"
    gone = machines.on(node, restart, check=False)
    return [vip for vip in VIPS if f" {vip}/" in gone]


def test_networkd_is_restarted_on_the_holder(restored: Machines) -> None:
    """It takes the VIPs off, as doctor says, and one machine has them again soon; with doctor's fix it keeps them."""
    machines = restored
    told = told_by_doctor(machines)
    assert {(each["node"], each["severity"]) for each in told} == {(node, "warning") for node in NODES}
    assert set(lost_at_restart(machines, "lb1")) == set(VIPS)
    wait_for(lambda: held_by(machines, "lb1"), 30)
    assert two_holders(machines, 5) == []
    assert machines.run("verify", "--wait", "60").code == 0
    for each in told:
        machines.on(each["node"], each["fix"])
    assert lost_at_restart(machines, "lb1") == []
    assert held_by(machines, "lb1")
    assert told_by_doctor(machines) == []


def test_a_lease_is_lost_and_renewed(restored: Machines, tmp_path: Path) -> None:
    """A holder that has its address by DHCP leaves the VIPs to the other one while it has none, and comes back."""
    machines, node, other = restored, "lb1", "lb2"
    with serving(machines, node, tmp_path / "dhcp") as server:
        write(machines, node, CLIENT.format(interface="ens32"))
        wait_for(lambda: " dynamic " in machines.on(node, "ip -4 -o addr show ens32"), 60)
        wait_for(lambda: held_by(machines, "lb1"), 60)
        server.stop()
        wait_for(lambda: not has_own(machines, node), 3 * LEASE)
        wait_for(lambda: held_by(machines, other), 20)
        assert two_holders(machines, 5) == []
        server.start()
        wait_for(lambda: has_own(machines, node), 3 * LEASE)
        wait_for(lambda: held_by(machines, "lb1"), 30)
        assert two_holders(machines, 5) == []
        assert all(has_own(machines, each) for each in NODES)
        assert machines.run("verify", "--wait", "60").code == 0
