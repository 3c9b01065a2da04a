"""Somebody else on the nodes' networks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness import LBDEPLOY

if TYPE_CHECKING:
    from harness import Lab

# A stranger's VRRP, version 3 (RFC 5798 section 5.2), as multicast of both families, twice a second for a minute, or
# until its input ends: who ends `lab exec` does not end what that has begun.
STRANGER = """
import select, socket, sys
index = next(i for i, name in socket.if_nameindex() if name != "lo")
four = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("{address}"))
six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 112)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
for _ in range(120):
    four.sendto(bytes([0x31, {router_id}, 100, 1, 0, 100, 0, 0]) + socket.inet_aton("192.168.1.99"), ("224.0.0.18", 0))
    try:
        six.sendto(bytes([0x31, {router_id} + 1, 100, 1, 0, 100, 0, 0]) + bytes(16), ("ff02::12", 0))
    except OSError:
        pass
    if select.select([sys.stdin], [], [], 0.5)[0]:
        break
"""


@contextmanager
def stranger(lab: Lab, router_id: int = 51) -> Iterator[str]:
    """Somebody else's VRRP on the management network, sent by the client; its address. By IPv6, it is the next ID."""
    argv = [LBDEPLOY, "-f", str(lab.file), "lab", "exec", "client", "python3", "-c"]
    address = lab.on("client", "ip -4 -o addr show to 192.168.1.0/24").split()[3].partition("/")[0]
    process = subprocess.Popen([*argv, STRANGER.format(address=address, router_id=router_id)], stdin=subprocess.PIPE)
    try:
        yield address
    finally:
        process.communicate(timeout=30)
