"""VRRP that others send, and whom clients believe to have the VIPs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from clients import traffic
from earlier import earlier
from forger import OWN, adverts, claim, forge
from harness import VIPS, Lab, held_by, wait_for
from neighbours import watched

WRONG = 1.0  # s
# Who announces a VIP to everybody, for so many seconds: (ARP, RFC 826: sender and target are the same).
LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)); s.settimeout(1)
end, seen = time.monotonic() + float(sys.argv[1]), []
while time.monotonic() < end:
    try: packet = s.recv(2048)
    except TimeoutError: continue
    if packet[28:32] == packet[38:42]: seen.append(socket.inet_ntoa(packet[28:32]))
print(*seen)
"""


def moves(lab: Lab) -> list[str]:
    """How often each node has become MASTER."""
    count = "journalctl --sync; journalctl -q -u keepalived -o cat | grep -c 'Entering MASTER STATE'"
    return [lab.on(node, count, check=False) for node in OWN]


@pytest.mark.parametrize("who", ["no peer", "through a router"])
def test_forged_adverts_count_for_nothing(pair: Lab, who: str) -> None:
    """Neither take them the VIPs away, nor do they keep the holder from sending its own."""
    before = moves(pair)
    with traffic(pair, *VIPS) as seen:
        for priority in (254, 0, 255):
            forge(pair, adverts(pair, who, priority), 6)
    assert moves(pair) == before
    assert held_by(pair, "lb1")
    assert seen["failures"] == seen["late"] == seen["broken"] == []


def test_forged_adverts_do_not_keep_a_standby_from_taking_over(pair: Lab) -> None:
    """It takes the VIPs of a holder that is gone, whatever others say meanwhile."""
    forged = [each for who in ("no peer", "through a router") for each in adverts(pair, who, 254)]
    sender = threading.Thread(target=forge, args=(pair, forged, 10))
    sender.start()
    time.sleep(1)
    pair.on("lb1", "systemctl stop keepalived")
    wait_for(lambda: held_by(pair, "lb2"), 4)
    sender.join()
    assert held_by(pair, "lb2")


def test_a_pair_of_an_earlier_version_gets_it_by_a_reload(pair: Lab) -> None:
    """Clients notice nothing, and nothing moves; forged adverts move its VIPs before, and do not afterwards."""
    earlier(pair)
    forge(pair, adverts(pair, "no peer", 254), 3)
    assert not held_by(pair, "lb1")
    wait_for(lambda: held_by(pair, "lb1"), 20)
    before = moves(pair)
    with traffic(pair, *VIPS) as seen:
        changes = pair.do("up")["changes"]
        forge(pair, adverts(pair, "no peer", 254), 3)
    assert moves(pair) == before
    assert seen["failures"] == seen["late"] == seen["broken"] == []
    assert {each["action"] for each in changes if each["kind"] == "service"} == {"reload"}


def test_the_firewall_lets_no_forged_advert_through(pair: Lab) -> None:
    """Not even one that bears a peer's address, to which connection tracking knows a connection; peers' get in."""
    pair.edit("[cluster]", '[cluster]\nfirewall = "nftables"')
    pair.do("up")
    since = time.time()
    for who in ("no peer", "through a router"):
        forge(pair, adverts(pair, who, 254), 4)
    said = "".join(pair.journal(node, since) for node in OWN)
    assert "TTL" not in said
    assert "not a unicast peer" not in said
    assert held_by(pair, "lb1")
    assert pair.run("doctor").code == 0


@pytest.mark.slow
def test_a_client_is_never_wrong_for_long(pair: Lab) -> None:
    """Whatever moves the VIPs, and also where the former holder was the last to speak."""
    wrong = {}
    with traffic(pair, *VIPS):
        for name, move in {
            "handover": lambda: pair.do("handover"),
            "and back": lambda: pair.do("handover", "--back"),
            "keepalived is stopped": lambda: pair.on("lb1", "systemctl stop keepalived"),
            "and started": lambda: pair.on("lb1", "systemctl start keepalived"),
            "another router ID": lambda: (pair.edit("router_id = 101", "router_id = 102"), pair.do("up")),
        }.items():
            with watched(pair, *VIPS) as wrong[name]:
                move()
                time.sleep(6)
        with watched(pair, *VIPS) as wrong["the former holder speaks last"]:
            pair.on("lb1", "systemctl stop keepalived")
            wait_for(lambda: held_by(pair, "lb2"), 5)
            for interface, vip in (("ens33", VIPS[0]), ("ens32", VIPS[1])):
                claim(pair, "lb1", interface, vip)
            time.sleep(3)
            for interface, vip in (("ens33", VIPS[0]), ("ens32", VIPS[1])):
                claim(pair, "lb1", interface, vip)
            time.sleep(3)
        pair.on("lb1", "systemctl start keepalived")
    assert {name: max(each.values()) for name, each in wrong.items() if max(each.values()) > WRONG} == {}
    assert min(wrong["the former holder speaks last"].values()) > 0, "the claim has deceived nobody"


@pytest.mark.slow
def test_the_holder_announces_its_vips_every_minute(pair: Lab) -> None:
    """Switches and clients that forget, or were told something else, learn it again."""
    time.sleep(11)  # what a move causes is over
    argv = ["ip", "netns", "exec", pair.namespace("client"), sys.executable, "-c", LISTEN, "62"]
    heard = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    assert set(VIPS) <= set(heard)
    assert len(heard) <= 3 * len(VIPS)
