"""A DHCP server in the operator's namespace, which gives one machine the address that it has in hosts.toml."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machines import Machines

from lbdeploy.lab.host.paths import OPERATOR
from lbdeploy.lab.machine import wiring
from lbdeploy.lab.machine.topology import topology

LEASE = 40  # s
_SERVER = """\
interface {interface}
start {address}
end {address}
max_leases 1
static_lease {mac} {address}
opt subnet 255.255.255.0
opt lease {lease}
min_lease {lease}
lease_file {folder}/leases
pidfile {folder}/pid
"""
CLIENT = """\
[Match]
Name={interface}
[Network]
DHCP=ipv4
KeepConfiguration=static
[DHCPv4]
ClientIdentifier=mac
"""


class DhcpServer:
    """The server for the management network of one machine; it can be stopped and started."""

    def __init__(self, machines: Machines, node: str, folder: Path) -> None:
        plan = topology(machines.cluster)
        cable = plan.cables(plan.find(node), "management")[0]
        near = next(each for each in plan.find(OPERATOR).cables if each.segment == cable.segment)
        values = {
            "interface": near.interface,
            "address": cable.addresses[0].ip,
            "mac": wiring.mac(plan.find(node), cable),
        }
        folder.mkdir(exist_ok=True)
        (folder / "leases").touch()
        self._config = folder / "udhcpd.conf"
        self._config.write_text(_SERVER.format(**values, lease=LEASE, folder=folder))
        self._namespace = machines.namespace(OPERATOR)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It answers from now on."""
        argv = ["ip", "netns", "exec", self._namespace, "busybox", "udhcpd", "-f", str(self._config)]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """It answers no more."""
        if self._process:
            self._process.kill()
            self._process.wait(10)


@contextmanager
def serving(machines: Machines, node: str, folder: Path) -> Iterator[DhcpServer]:
    """A server that runs within the block."""
    server = DhcpServer(machines, node, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
