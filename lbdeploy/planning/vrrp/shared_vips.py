"""VIPs that two nodes hold for a while, on purpose: clients find the first one again, should the other one die."""

from __future__ import annotations

from collections.abc import Iterable

from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.config.model import Node, Vip
from lbdeploy.node.remote import remote_text

UNIT = "lbdeploy-shared-vips"


def watch(node: Node, vips: Iterable[Vip], announce: str, seconds: int) -> Raw:
    """Has a holder of these VIPs announce them once another node has had them and is gone; for at most `seconds`.

    The node does it by itself, since the laptop hears that a node is dead only after 14 s (measured; ssh's timeouts).
    """
    pairs = " ".join(f"{node.interfaces[vip.network]} {vip.ip}" for vip in vips)
    given = {
        "program": remote_text("find-address-owner.pl"),
        "pairs": pairs,
        "announce": announce,
        "seconds": str(seconds),
    }
    variables = "\n".join(f"{name}={here(value)}" for name, value in given.items())
    script = f"{variables}\n{remote_text('keep-announced.sh')}"
    longest = f"RuntimeMaxSec={2 * seconds}"  # on a busy node, each round may take longer than its second
    about = "--description=lbdeploy: announces the VIPs again, should a node die that has them, too"
    start = cmd("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", about, "-p", longest, "/bin/sh", "-c", script)
    return Raw(f"systemctl stop {UNIT}.service 2> /dev/null\n{start}")
