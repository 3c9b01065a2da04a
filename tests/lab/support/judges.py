"""The daemons of a node as judges of all golden renderings: each is its /etc, in a network of its own, for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import goldens
from harness import Lab

from lbdeploy.config.model import Cluster, Node
from lbdeploy.planning.desired import files

PLACE = "/run/goldens"  # a tmpfs, which may be the upper layer over /etc


def objections(lab: Lab, where: str, folder: Path) -> list[str]:
    """What the validators of the node say of any golden rendering, of the first and the last node of each."""
    folder.mkdir(exist_ok=True)
    goldens.beside(folder)
    found = []
    for name in goldens.ALL:
        cluster = goldens.load(folder, name)
        for node in (cluster.nodes[0], cluster.nodes[-1]):
            said = lab.on(where, _laid_out(lab.root(where), cluster, node), check=False)
            if said != "judged":
                found.append(f"{name}, {node.name}: {said}")
    lab.on(where, f"rm -r {PLACE}")
    return found


def _laid_out(root: Path, cluster: Cluster, node: Node) -> str:
    """Lays the node's files out; the command that has them judged, which says "judged" in the end."""
    own = files(cluster, node)
    for file in own:
        path = root / PLACE[1:] / "upper" / file.path.removeprefix("/etc/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content)
        path.chmod(int(file.mode, 8))
    (root / PLACE[1:] / "work").mkdir(exist_ok=True)
    checks = (f"sh -c {quote(str(file.validate))} lbdeploy {file.path} 2>&1" for file in own if file.validate)
    script = [
        f"mount -t overlay -o lowerdir=/etc,upperdir={PLACE}/upper,workdir={PLACE}/work overlay /etc",
        *_links(node),
        *(f"{check} || echo {index} failed" for index, check in enumerate(checks)),
        "echo judged",
    ]
    inside = f"unshare --mount --net sh -c {quote(chr(10).join(script))}"
    return f"{inside}; rm -r {PLACE}/upper {PLACE}/work"


def _links(node: Node) -> Iterator[str]:
    for index, interface in enumerate(dict.fromkeys(node.interfaces.values())):
        yield f"ip link add {interface} type veth peer name far{index} && ip link set far{index} up"
        yield f"ip link set {interface} up"
    for network, address in node.addresses.items():
        yield f"ip addr add {address} dev {node.interfaces[network]}{' nodad' if address.version == 6 else ''}"
