"""A slow link: a host whose cable takes 25 ms each way, so that a round trip to the nodes takes 50 ms.

Some kernels have no netem. So this is a wire of our own: a process that takes each Ethernet frame off one veth and puts
it on another one 25 ms later. TCP sees a real link, with its handshake, acknowledgements and windows.

As a program, it is the wire: wire.py MILLISECONDS INTERFACE INTERFACE. It ends when its standard input does.
"""

from __future__ import annotations

import array
import fcntl
import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from measure import output
from pair import Pair

FAR, WIRE = "far", "wire"  # the distant host, and the namespace in which its wire is
ONE_WAY_MS = 25
ETH_P_ALL = 3
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17


@contextmanager
def far_host(pair: Pair) -> Iterator[str]:
    """The name of a host on VRRP's network, 50 ms from the nodes; its namespaces go with the lab's, at the latest."""
    for name in (FAR, WIRE):
        output("ip", "netns", "add", pair.namespace(name))
    wire = None
    try:
        _plug(pair)
        argv = pair.inside(WIRE, sys.executable, __file__, str(ONE_WAY_MS), "near", "distant")
        wire = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert wire.stdout
        assert wire.stdin
        wire.stdout.readline()  # it is ready
        yield FAR
    finally:
        if wire and wire.stdin:
            wire.stdin.close()
            wire.wait(10)
        for name in (FAR, WIRE):
            output("ip", "netns", "del", pair.namespace(name))


def _plug(pair: Pair) -> None:
    far, wire, switch = (pair.namespace(name) for name in (FAR, WIRE, "switch"))
    address = next(iter(pair.addresses.values())).rpartition(".")[0] + ".250/24"
    _ip(far, f"link add eth0 type veth peer name distant netns {wire}")
    _ip(switch, f"link add far type veth peer name near netns {wire}")
    _ip(switch, f"link set far master {_bridge(pair)} up")
    _ip(far, "link set eth0 up")
    _ip(far, f"address add {address} dev eth0")
    for interface in ("near", "distant"):
        _ip(wire, f"link set {interface} up promisc on")
    for namespace, interface in ((far, "eth0"), (switch, "far")):
        output("nsenter", f"--net=/run/netns/{namespace}", sys.executable, __file__, "whole", interface)


def _bridge(pair: Pair) -> str:
    """The bridge to which the operator's cable in the nodes' network leads."""
    operator, switch = pair.namespace("operator"), pair.namespace("switch")
    route = json.loads(output("ip", "-n", operator, "-j", "route", "get", next(iter(pair.addresses.values()))))
    own = json.loads(output("ip", "-n", operator, "-j", "link", "show", route[0]["dev"]))
    ports = json.loads(output("ip", "-n", switch, "-j", "link"))
    return next(str(port["master"]) for port in ports if port["ifindex"] == own[0]["link_index"])


def _ip(namespace: str, command: str) -> None:
    output("ip", "-n", namespace, *command.split())


def whole_frames(interface: str) -> None:
    """Let the kernel send complete frames: it may not leave checksums and segmentation to a device that has neither."""
    value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def forward(delay: float, one: str, other: str) -> None:
    """Carry frames between two interfaces, each `delay` seconds late, until standard input ends."""
    ends = [_open(one), _open(other)]
    opposite = {ends[0]: ends[1], ends[1]: ends[0]}
    under_way: deque[tuple[float, socket.socket, bytes]] = deque()
    while True:
        wait = max(under_way[0][0] - time.monotonic(), 0) if under_way else None
        for ready in select.select([*ends, sys.stdin], [], [], wait)[0]:
            if ready is sys.stdin:
                return
            frame, where = ready.recvfrom(65536)
            if where[2] != socket.PACKET_OUTGOING:
                under_way.append((time.monotonic() + delay, opposite[ready], frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, frame = under_way.popleft()
            end.send(frame)


def _open(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.bind((interface, 0))
    return end


if __name__ == "__main__":
    if sys.argv[1] == "whole":
        whole_frames(sys.argv[2])
    else:
        print("ready", flush=True)
        forward(float(sys.argv[1]) / 1000, *sys.argv[2:])
