"""Somebody who forges VRRP adverts, with any source address, TTL and priority; and ARP requests from a VIP.

Run as a script in a network namespace: `forger.py advert JSON SECONDS`, with a list of adverts, each sent five times a
second; or `forger.py arp INTERFACE VIP TARGET`, an ARP request as a holder sends one, from which the target learns its
MAC. It says how many packets it has sent.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Lab

OWN = {"lb1": "192.168.1.11", "lb2": "192.168.1.12"}  # the pair's addresses on VRRP's network
VRRP = 112
EVERY = 0.2  # s


@dataclass(frozen=True)
class Advert:
    """An advert: version 2 of IPv4, version 3 of IPv6, once a second."""

    source: str
    target: str
    ttl: int
    priority: int
    router_id: int
    vips: tuple[str, ...]

    def packet(self) -> bytes:
        """With its IP header."""
        if ":" in self.source:
            body = self._advert(0x31, struct.pack("!H", 100), b"")
            return struct.pack("!IHBB", 6 << 28, len(body), VRRP, self.ttl) + self._ends() + body
        body = self._advert(0x21, struct.pack("!BB", 0, 1), bytes(8))
        return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, self.ttl, VRRP, 0) + self._ends() + body

    def _advert(self, kind: int, interval: bytes, secret: bytes) -> bytes:
        head = struct.pack("!BBBB", kind, self.router_id, self.priority, len(self.vips)) + interval
        rest = b"".join(ip_address(vip).packed for vip in self.vips) + secret
        pseudo = self._ends() + struct.pack("!IHBB", len(head) + 2 + len(rest), 0, 0, VRRP) if kind == 0x31 else b""
        return head + struct.pack("!H", _checksum(pseudo + head + bytes(2) + rest)) + rest

    def _ends(self) -> bytes:
        return ip_address(self.source).packed + ip_address(self.target).packed


def stranger(lab: Lab) -> str:
    """The client's own address on VRRP's network."""
    return lab.on("client", "ip -4 -o addr show to 192.168.1.0/24").split()[3].partition("/")[0]


def adverts(lab: Lab, who: str, priority: int) -> list[Advert]:
    """To both nodes: of a host that is "no peer", or with the peer's address, but "through a router"."""
    from harness import VIPS  # as a script it has no need of it

    peers = (OWN["lb1"], OWN["lb2"]), (OWN["lb2"], OWN["lb1"])
    if who == "no peer":
        pairs = [(stranger(lab), target, 255) for target, _ in peers]
    else:
        pairs = [(source, target, 254) for source, target in peers]
    return [Advert(source, target, ttl, priority, 101, VIPS) for source, target, ttl in pairs]


def forge(lab: Lab, adverts: list[Advert], seconds: float) -> None:
    """Sends them from the client's network for so long."""
    text = json.dumps([asdict(each) for each in adverts])
    sent = lab.on("client", f"{sys.executable} {__file__} advert '{text}' {seconds}")
    assert int(sent) >= len(adverts) * seconds


def claim(lab: Lab, node: str, interface: str, vip: str) -> None:
    """A node asks for the client's MAC from a VIP once, as a holder may do just before it lets go."""
    client = lab.on("client", f"ip -4 -o addr show to {vip}/24").split()[3].partition("/")[0]
    program = f"{sys.executable} {__file__} arp {interface} {vip} {client}"
    lab.on("client", f"ip netns exec {lab.namespace(node)} {program}")


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _send_adverts(adverts: list[Advert], seconds: float) -> int:
    six = ":" in adverts[0].source
    sender = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for each in adverts:
            sender.sendto(each.packet(), (each.target, 0))
            sent += 1
        time.sleep(EVERY)
    return sent


def _send_arp(interface: str, vip: str, target: str) -> int:
    mac = bytes.fromhex(Path(f"/sys/class/net/{interface}/address").read_text().strip().replace(":", ""))
    everybody = b"\xff" * 6
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + socket.inet_aton(vip)
    request += bytes(6) + socket.inet_aton(target)
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind((interface, 0))
    sender.send(everybody + mac + struct.pack("!H", 0x0806) + request)
    return 1


if __name__ == "__main__":
    if sys.argv[1] == "arp":
        print(_send_arp(*sys.argv[2:]))
    else:
        told = [Advert(**{**each, "vips": tuple(each["vips"])}) for each in json.loads(sys.argv[2])]
        print(_send_adverts(told, float(sys.argv[3])))
