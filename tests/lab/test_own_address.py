"""A node that loses its own address: by hand, and by a DHCP lease that ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from clients import cut, smooth, traffic, turned_away
from harness import VIPS, Lab, converge, held_by, wait_for

OWN = {"lb1": "192.168.1.11", "lb2": "192.168.1.12"}
NETWORK = "/etc/systemd/network/10-ens32.network"
LEASE = 12  # s
SERVER = f"""\
[Match]
Name=ens32
[Network]
Address={{own}}/24
KeepConfiguration=yes
DHCPServer=yes
[DHCPServer]
PoolOffset=100
PoolSize=20
DefaultLeaseTimeSec={LEASE}
MaxLeaseTimeSec={LEASE}
EmitDNS=no
EmitRouter=no
[DHCPServerStaticLease]
MACAddress={{mac}}
Address={{lease}}
"""
CLIENT = """\
[Match]
Name=ens32
[Network]
DHCP=ipv4
[DHCPv4]
ClientIdentifier=mac
"""


def has(lab: Lab, node: str) -> bool:
    """Whether a node has its own address on VRRP's network."""
    return f" {OWN[node]}/" in lab.on(node, "ip -4 -o addr show ens32")


def first(lab: Lab, node: str) -> str:
    """The primary address of VRRP's interface."""
    return lab.on(node, "ip -4 -o addr show ens32").split()[3]


def two_holders(lab: Lab, seconds: float) -> list[Any]:
    """What was seen of VIPs that were on more than one node, within so many seconds."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        found += [held for vip in VIPS if len(held := lab.holder(vip)) > 1]
        time.sleep(0.1)
    return found


@pytest.fixture
def addresses(pair: Lab) -> Iterator[Lab]:
    """A pair whose nodes have their addresses again after the test, first of all."""
    yield pair
    for node, own in OWN.items():
        pair.on(node, f"rm -f {NETWORK}; systemctl stop systemd-networkd.socket systemd-networkd", check=False)
        for address, interface in ((own, "ens32"), (own.replace(".1.", ".0."), "ens33")):
            pair.on(node, f"ip addr replace {address}/24 brd + dev {interface}")
    converge(pair)
    if first(pair, "lb1") != f"{OWN['lb1']}/24":
        pair.do("handover")
        pair.do("handover", "--back")


def test_a_standby_without_its_own_address_leaves_the_vips_alone(addresses: Lab) -> None:
    """It hears nobody, and takes nothing all the same; when the address is back, it is there to stay."""
    lab = addresses
    with traffic(lab, *VIPS) as seen:
        lab.on("lb2", f"ip addr del {OWN['lb2']}/24 dev ens32")
        assert two_holders(lab, 8) == []
        assert held_by(lab, "lb1")
        lab.on("lb2", f"ip addr add {OWN['lb2']}/24 dev ens32")
        assert two_holders(lab, 6) == []
    assert seen["failures"] == seen["late"] == seen["broken"] == []
    assert has(lab, "lb2")
    assert lab.run("verify", "--wait", "10").code == 0


def test_a_holder_without_its_own_address_gives_up_the_vips(addresses: Lab) -> None:
    """As quickly as one whose haproxy is stopped; the address survives its return, and the move of the VIPs back."""
    lab = addresses
    with traffic(lab, *VIPS) as seen:
        lab.on("lb1", f"ip addr del {OWN['lb1']}/24 dev ens32")
        wait_for(lambda: held_by(lab, "lb2"), 4)
        assert two_holders(lab, 3) == []
        returns = time.monotonic()
        lab.on("lb1", f"ip addr add {OWN['lb1']}/24 dev ens32")
        wait_for(lambda: held_by(lab, "lb1"), 15)
    lost = [each["at"] for each in turned_away(seen) + seen["late"] if each["at"] < returns]
    back = {key: [each for each in seen[key] if each["at"] >= returns] for key in ("failures", "late")}
    assert turned_away(back) == cut(back, 1) == []
    assert max(lost) - min(lost) < 1.2, "the VIPs were on no node for longer than a standby waits"
    assert first(lab, "lb1") == f"{OWN['lb1']}/24"
    assert lab.run("verify", "--wait", "10").code == 0


def test_an_address_that_comes_back_behind_a_vip_survives_the_next_move(addresses: Lab) -> None:
    """verify and doctor say that it is secondary and what to type; with that, it comes first again."""
    lab = addresses
    lab.on("lb1", f"ip addr del {OWN['lb1']}/24 dev ens32; ip addr add {OWN['lb1']}/24 dev ens32")
    assert first(lab, "lb1") == f"{VIPS[1]}/24"
    for command in ("verify", "doctor"):
        (told,) = [each for each in lab.do(command)["findings"] if each["check"] == "address" and not each["ok"]]
        assert (told["node"], told["severity"]) == ("lb1", "warning")
        assert told["detail"].startswith(f"its own address {OWN['lb1']} is secondary to the VIP {VIPS[1]}")
        assert "handover --back" in told["fix"]
    with traffic(lab, *VIPS) as seen:
        lab.do("handover")
        assert has(lab, "lb1")
        lab.do("handover", "--back")
    smooth(seen, 2)
    assert first(lab, "lb1") == f"{OWN['lb1']}/24"
    assert all(each["ok"] for each in lab.do("verify")["findings"])


def test_a_missing_address_is_told_with_what_to_type(addresses: Lab) -> None:
    """By verify and doctor, which reach the node on another network; typed in, all is well."""
    lab = addresses
    lab.on("lb2", "ip addr del 192.168.0.12/24 dev ens33")
    for command in ("verify", "doctor"):
        (told,) = [
            each for each in lab.do(command, code=6)["findings"] if each["check"] == "address" and not each["ok"]
        ]
        assert told["node"] == "lb2"
        assert "ens33 does not have" in told["detail"]
        assert "192.168.0.12" in told["detail"]
    (told,) = [each for each in lab.do("verify", code=6)["findings"] if each["check"] == "address" and not each["ok"]]
    lab.on("lb2", told["fix"].partition("there: ")[2].partition(";")[0])
    assert lab.run("verify").code == 0


@contextmanager
def leased(lab: Lab, client: str, server: str) -> Iterator[None]:
    """The client has its own address by DHCP from the server, both of them systemd-networkd."""
    mac = lab.on(client, "cat /sys/class/net/ens32/address")
    texts = {server: SERVER.format(own=OWN[server], mac=mac, lease=OWN[client]), client: CLIENT}
    for node, text in texts.items():
        lab.on(node, f"mkdir -p {NETWORK.rpartition('/')[0]}; cat > {NETWORK} << 'END'\n{text}END")
        # networkd tries for ever to change the address where it is as the lab has put it.
        lab.on(node, f"ip addr del {OWN[node]}/24 dev ens32; systemctl start systemd-networkd")
        wait_for(lambda node=node: has(lab, node), 10)  # type: ignore[misc]
    wait_for(lambda: " dynamic " in lab.on(client, "ip -4 -o addr show ens32"), 10)
    yield


@pytest.mark.parametrize(
    ("client", "server"),
    [
        pytest.param("lb2", "lb1", id="standby", marks=pytest.mark.slow),
        pytest.param("lb1", "lb2", id="holder"),
    ],
)
def test_a_lease_that_ends_and_comes_back(addresses: Lab, client: str, server: str) -> None:
    """One holder all the time, which has its own address; the lease's address is there again, and stays."""
    lab = addresses
    with leased(lab, client, server):
        converge(lab)
        lab.on(server, "systemctl stop systemd-networkd.socket systemd-networkd")
        wait_for(lambda: not has(lab, client), 2 * LEASE)
        wait_for(lambda: held_by(lab, server), 5)
        assert two_holders(lab, 5) == []
        lab.on(server, "systemctl start systemd-networkd")
        wait_for(lambda: has(lab, client), 40)
        wait_for(lambda: held_by(lab, "lb1"), 20)
        assert two_holders(lab, 3) == []
        assert all(has(lab, node) for node in OWN)
        assert lab.run("verify", "--wait", "10").code == 0
