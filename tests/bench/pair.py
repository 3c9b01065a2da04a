"""The two nodes that everything is measured on: a lab of its own, for a copy of the project's hosts.toml."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import LIMIT_SECONDS, output, run

TOP = Path(__file__).parents[2]
LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))
STATE = Path("/var/lib/lbdeploy-lab")
NODES = ("lb1", "lb2")


class Pair:
    """A lab in a folder of its own, so that it is nobody else's. Its nodes are reached only from its namespaces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "hosts.toml"
        self.plain = folder / "plain.toml"  # for a run that is in the operator's namespace already
        text = (TOP / "hosts.toml").read_text()
        self.file.write_text(text)
        self.data: dict[str, Any] = tomllib.loads(text)
        self.id = ""

    def up(self) -> float:
        """Start it, with newly installed nodes where it was down; the seconds that it took."""
        took = run(self.lbdeploy("lab", "up"))
        self.id = json.loads(output(*self.lbdeploy("--json", "lab", "status")))["lab"]["id"]
        self._write_plain()
        return took

    def down(self) -> None:
        run(self.lbdeploy("lab", "down"))

    def lbdeploy(self, *args: str) -> list[str]:
        """A command of lbdeploy, with this pair's file."""
        return [LBDEPLOY, "-f", str(self.file), *args]

    def unlabbed(self, where: str, *args: str) -> list[str]:
        """A command of lbdeploy in a namespace, as on an operator's own machine: without --lab."""
        return self.inside(where, LBDEPLOY, "-f", str(self.plain), *args)

    def inside(self, where: str, *argv: str) -> list[str]:
        """A command in the network of a host of the lab."""
        return ["nsenter", f"--net=/run/netns/{self.namespace(where)}", "--", *argv]

    def ssh(self, where: str, node: str, command: str) -> list[str]:
        """The same by ssh(1), on a node, as the operator's user."""
        return self.inside(where, "ssh", "-F", str(self.ssh_config), "-o", "BatchMode=yes", node, command)

    def on(self, node: str, command: str) -> str:
        """What a shell command prints, run as root in a node, not over SSH."""
        return output(*self.lbdeploy("lab", "exec", node, "sh", "-c", command))

    def host_key(self, node: str) -> tuple[str, str]:
        """A node's host key as it is now, as known_hosts has it, and its fingerprint; both from its console."""
        public = "/etc/ssh/ssh_host_ed25519_key.pub"
        key = " ".join(self.on(node, f"cat {public}").split()[:2])
        return key, self.on(node, f"ssh-keygen -lf {public}").split()[1]

    def know(self, node: str, key: str) -> None:
        """Write a node's host key into the operator's known_hosts, in place of all that it had."""
        known, address = STATE / self.id / "known_hosts", self.addresses[node]
        others = [line for line in known.read_text().splitlines() if address not in line.split()[0].split(",")]
        known.write_text("\n".join([*others, f"{address} {key}", ""]))

    def namespace(self, host: str) -> str:
        return f"lbdeploy-{self.id}:{host}"

    @property
    def ssh_config(self) -> Path:
        return STATE / self.id / "ssh_config"

    @property
    def addresses(self) -> dict[str, str]:
        """Where each node's sshd is."""
        return {name: self.data["nodes"][name][self.data["vrrp"]["network"]] for name in NODES}

    @property
    def vip(self) -> tuple[str, int]:
        """The first VIP, and the first frontend's port."""
        vip = next(iter(self.data["networks"].values()))["vip"]
        return vip.partition("/")[0], next(iter(self.data["frontends"].values()))["port"]

    def settle(self) -> None:
        """Bring both nodes to what hosts.toml says, and wait until all is well: nothing is left to be done then."""
        run(self.lbdeploy("--lab", "up"))
        run(self.lbdeploy("--lab", "verify", "--wait", str(int(LIMIT_SECONDS / 2))))

    def render(self) -> Path:
        """A folder with every file of each node, for other tools to copy."""
        run(self.lbdeploy("render", "--out", str(self.folder / "files")))
        return self.folder / "files"

    def _write_plain(self) -> None:
        own = STATE / self.id
        keys = f'identity_file = "{own}/id_ed25519"\nknown_hosts_file = "{own}/known_hosts"\n'
        self.plain.write_text(self.file.read_text().replace("[ssh]", f"[ssh]\n{keys}#", 1))


def each_node(make: Any) -> list[Sequence[str]]:
    """`make(node)` for both nodes."""
    return [make(node) for node in NODES]
