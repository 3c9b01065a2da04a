"""IPv6 on real nodes: beside IPv4 with VIPs of every prefix length, and alone, on one network."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from clients import smooth, traffic
from earlier import earlier
from forger import Advert, forge
from harness import Lab, all_answered, wait_for
from neighbours import watched
from watchers import SOON, ends, longest, watching

DUAL = """\
[cluster]
name = "dual"
[networks.external]
interface = "ens33"
vip = ["192.168.0.10/24", "192.168.0.9/32", "2001:db8:5::10/64", "2001:db8:5::9/128"]
[networks.management]
interface = "ens32"
vip = ["192.168.1.10/24", "fd00:5::10/64"]
[nodes.lb1]
external = "192.168.0.11"
management = "192.168.1.11"
priority = 200
[nodes.lb2]
external = "192.168.0.12"
management = "192.168.1.12"
priority = 100
[vrrp]
network = "management"
router_id = 101
preempt_delay = 1
[frontends.k8s-api]
port = 6443
[frontends.k8s-api.servers]
master1 = "192.168.1.21"
master2 = "fd00:5::22"
"""
SIX = """\
[cluster]
name = "six"
[networks.only]
interface = "ens32"
vip = ["2001:db8:6::10/64", "2001:db8:6::9/128"]
[nodes.lb1]
only = "2001:db8:6::11"
priority = 200
[nodes.lb2]
only = "2001:db8:6::12"
priority = 100
[vrrp]
network = "only"
router_id = 102
preempt_delay = 1
[frontends.k8s-api]
port = 6443
[frontends.k8s-api.servers]
master1 = "2001:db8:6::21"
master2 = "[2001:db8:6::22]:6443"
"""
ON_THEIR_WAY = 5  # connections that are begun as a VIP moves, and asked for twice: all of a MOMENT (outage.gaps)
VIPS = {
    "dual": ("192.168.0.10", "192.168.0.9", "2001:db8:5::10", "2001:db8:5::9", "192.168.1.10", "fd00:5::10"),
    "six": ("2001:db8:6::10", "2001:db8:6::9"),
}


@pytest.fixture(scope="module", params=[pytest.param(DUAL, marks=pytest.mark.slow), SIX], ids=["dual", "six"])
def six(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    file = tmp_path_factory.mktemp("ipv6") / "hosts.toml"
    file.write_text(request.param)
    lab = Lab(file)
    try:
        lab.lab("up")
        yield lab
    finally:
        lab.lbdeploy("lab", "down")


def vips(lab: Lab) -> tuple[str, ...]:
    return VIPS["six" if "fd00" not in lab.original else "dual"]


def held_by(lab: Lab, node: str) -> bool:
    """Whether a node's kernel has all VIPs, in use, and no other any."""
    there = {each: lab.on(each, "ip -o addr", check=False) for each in ("lb1", "lb2")}
    own = [line for line in there.pop(node).splitlines() if any(f" {vip}/" in line for vip in vips(lab))]
    elsewhere = [vip for text in there.values() for vip in vips(lab) if f" {vip}/" in text]
    return len(own) == len(vips(lab)) and not elsewhere and not any("tentative" in line for line in own)


def test_a_cluster_with_ipv6_lives_through_its_days(six: Lab) -> None:
    """Doctor, first up, a change and a handover under traffic, a drill or a VIP in doubt; down leaves nothing."""
    alone = six.original == SIX
    if alone:
        six.on("client", "ip addr add 2001:db8:6::10/128 dev eth0 nodad")
        wrong = [each for each in six.do("doctor", code=6)["findings"] if each["severity"] == "error"]
        assert [each["check"] for each in wrong] == ["vip-in-use"]
        assert wrong[0]["detail"].startswith("2001:db8:6::10 is in use: ")
        six.on("client", "ip addr del 2001:db8:6::10/128 dev eth0")
    six.do("up")
    assert held_by(six, "lb1")
    prefixes = {line.split()[3] for line in six.on("lb1", "ip -o addr").splitlines()}
    assert {vip for vip in prefixes if vip.split("/")[0] in vips(six)} == wanted(six)

    with traffic(six, *vips(six)) as seen:
        six.edit("port = 6443", 'port = 6443\nbalance = "leastconn"')
        six.edit("router_id", "check_rise = 1\nrouter_id")
        six.do("up")
    smooth(seen, 0)
    assert six.do("up")["changes"] == []
    with traffic(six, *vips(six)) as seen, watching(six, *vips(six)) as watches:
        time.sleep(8)  # both haproxys were reloaded: they are connected again within 7 s, and know each other's clients
        moved = six.do("handover", "--to", "lb2")
        assert all_answered(moved)
        assert moved["failed"] + moved["late"] <= ON_THEIR_WAY * len(vips(six))
        assert held_by(six, "lb2")
        time.sleep(2)
    smooth(seen, 1)
    assert ends(watches) == [1] * len(ends(watches))
    assert longest(watches) <= SOON

    if alone:
        drilled = six.do("drill", "haproxy")
        assert 0 < drilled["outage_ms"] <= drilled["expected_ms"] + 300
    else:
        a_vip_that_another_host_has(six, "lb2")
    six.do("down", "--yes")
    for node in ("lb1", "lb2"):
        left = six.on(node, "ip -o addr; ls /etc/sysctl.d")
        assert not [vip for vip in vips(six) if f" {vip}/" in left]
        assert "zz-lbdeploy" not in left
        assert six.on(node, "cat /proc/sys/net/ipv6/ip_nonlocal_bind") == "0"


def wanted(lab: Lab) -> set[str]:
    """The VIPs with their prefix lengths, as the file has them."""
    return {
        word.strip('[]",') for line in lab.original.splitlines() if line.startswith("vip") for word in line.split()[2:]
    }


def a_vip_that_another_host_has(lab: Lab, node: str) -> None:
    """The kernel refuses it, where it may ask: verify says what is the matter.

    keepalived must be no judge of it: where somebody takes a VIP away, it takes all of them, and places them anew, so
    that it is a matter of milliseconds what becomes of one that somebody adds.
    """
    address, interface = "2001:db8:5::10", "ens33"
    far = lab.on("client", f"ip -o route get {address}").split()
    lab.on("client", f"ip addr add {address}/128 dev {far[far.index('dev') + 1]} nodad")
    lab.on(node, f"echo 1 > /proc/sys/net/ipv6/conf/{interface}/accept_dad")
    lab.on(node, f"systemctl stop keepalived && ip addr add {address}/64 dev {interface}")
    wait_for(lambda: "dadfailed" in lab.on(node, f"ip -o addr show to {address}"))
    found = [each["detail"] for each in lab.do("verify", code=6)["findings"] if not each["ok"]]
    assert f"{address} is on {interface}, and can't be used: another host has it (dadfailed)" in found
    lab.on(node, f"ip addr del {address}/64 dev {interface} && systemctl start keepalived")
    lab.on("client", f"ip addr del {address}/128 dev {far[far.index('dev') + 1]}")


def test_others_adverts_and_the_neighbours_of_a_cluster_with_ipv6(six: Lab) -> None:
    """It is upgraded unnoticed; then neither a stranger nor one behind a router moves the VIPs, and clients follow."""
    earlier(six)
    wait_for(lambda: held_by(six, "lb1"), 20)
    with traffic(six, *vips(six)) as seen:
        six.do("up")
    smooth(seen, 0)
    assert held_by(six, "lb1")
    alone = six.original == SIX
    one, other = ("2001:db8:6::11", "2001:db8:6::12") if alone else ("192.168.1.11", "192.168.1.12")
    no_peer = (
        six.on("client", f"ip -o addr show to {one}/{64 if alone else 24} scope global").split()[3].partition("/")[0]
    )
    listed = tuple(vip for vip in vips(six) if (":" in vip) == alone)
    pairs = [(no_peer, one, 255), (no_peer, other, 255), (other, one, 254), (one, other, 254)]
    with traffic(six, *vips(six)) as seen:
        for priority in (254, 0, 255):
            forge(six, [Advert(*pair, priority, 102 if alone else 101, listed) for pair in pairs], 5)
    assert held_by(six, "lb1")
    smooth(seen, 0)
    with traffic(six, *vips(six)), watched(six, *vips(six)) as wrong:
        six.do("handover")
        six.do("handover", "--back")
    assert max(wrong.values()) < 1, wrong
