"""The pair on machines: a lab whose nodes are QEMU's, driven by the lbdeploy command as the lab of other tests is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from disks import RECIPE, install
from harness import Done, Lab
from qemu import Machine, accelerator
from root_shell import GoneError

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.events import silent
from lbdeploy.lab import manifest, up
from lbdeploy.lab.image import build
from lbdeploy.lab.machine import keys, ssh_access

NODES = ("lb1", "lb2")
BOOT = 600.0  # s; a boot takes 10 s with KVM, 60 s without it, on two cores that have nothing else to do
LOOK = 60.0  # s for a command on a machine
SLOW = 400.0  # s for a run of lbdeploy


@dataclass
class Machines(Lab):
    """The lab of one hosts.toml, with machines for its nodes."""

    machine: dict[str, Machine] = field(default_factory=dict)

    def lbdeploy(self, *args: str, env: dict[str, str] | None = None, timeout: float = SLOW) -> Done:
        """As the lab's, with more time."""
        return super().lbdeploy(*args, env=env, timeout=max(timeout, SLOW))

    def start(self) -> None:
        """Bare machines, booted, and all that is around them. What an earlier session left is removed first."""
        self.lab("down")
        with up.opened(self.cluster, silent) as lab:
            image = build.ensure(RECIPE, print, up.images_in_use())
            manifest.write(lab.place, manifest.Manifest(str(self.cluster.path), RECIPE.suite, str(image.path)))
            up.surround(lab)
            kind = accelerator(image)
            print(
                "the machines run with KVM" if kind == "kvm" else "KVM does not work here: the machines run without it"
            )
            for host in lab.plan.of("node"):
                self.machine[host.name] = Machine(lab.place, host, image, kind)
                install(lab, host, image)
            ssh_access.remember(lab.place, self.cluster, self.cluster.nodes)
            self.boot(*NODES)
            manifest.set_complete(lab.place, self.cluster)

    def end(self) -> None:
        """Machines off, and nothing left of them."""
        self.cut(*self.machine)
        self.lab("down")

    @cached_property
    def cluster(self) -> Cluster:
        """The hosts.toml that the machines were made for."""
        return reader.load(self.file, self.original)

    def boot(self, *nodes: str) -> None:
        """Switch machines on; returns when each lets users log in."""
        for node in nodes:
            self.machine[node].power_on()
        self.await_login(*nodes)

    def await_login(self, *nodes: str) -> None:
        """Return when each machine has its addresses, and lets users log in."""
        deadline = time.monotonic() + BOOT
        while late := [node for node in nodes if not self._admits(node)]:
            assert time.monotonic() < deadline, f"{late[0]} does not let users log in: {self.said(late[0])}"
            time.sleep(2)  # each look takes time from what it waits for

    def _admits(self, node: str) -> bool:
        assert self.machine[node].is_on, self.said(node)
        own = self.machine[node].host.addresses
        look = "test ! -e /run/nologin && systemctl -q is-active ssh && ip -o addr"
        shown = self.on(node, look, check=False)
        return bool(shown) and all(f" {each}/" in shown for each in own)

    def said(self, node: str) -> str:
        """The end of a machine's console."""
        return "\n".join(self.machine[node].messages.splitlines()[-20:])

    def cut(self, *nodes: str) -> None:
        """Cut machines' power."""
        for node in nodes:
            self.machine[node].cut_power()

    def fresh(self, node: str) -> None:
        """Install a machine anew, on an empty disk, with a host key that the operator's known_hosts does not know."""
        self.cut(node)
        with up.opened(self.cluster, silent) as lab:
            began = manifest.read(lab.place)
            assert began
            install(lab, self.machine[node].host, build.Image(Path(began.image)))
        self.boot(node)

    def on(self, where: str, command: str, *, check: bool = True) -> str:
        """As the lab's; with a machine off, or in its boot, there is no output."""
        if where not in NODES:
            return super().on(where, command, check=check)
        try:
            code, out, err = self.machine[where].ask(command, LOOK)
        except GoneError as error:
            code, out, err = -1, "", str(error)
        assert not check or code == 0, f"{where}: {command}: {out}{err}"
        return out.strip()

    def original_files(self) -> None:
        """hosts.toml and templates as they were at first."""
        shutil.rmtree(self.file.parent / "templates", ignore_errors=True)
        self.file.write_text(self.original)

    def fingerprint(self, node: str) -> str:
        """Of the host key that its installation made, as its console would show it."""
        return keys.fingerprint(ssh_access.host_key(self._place, node))

    def root(self, node: str) -> Path:
        """Nobody but the machine itself sees its file system."""
        raise FileNotFoundError(node)


def holders_within(machines: Machines, vips: Iterable[str], seconds: float) -> dict[str, list[str]]:
    """Who holds each VIP, as soon as each has one holder, or else after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        held = {vip: machines.holder(vip) for vip in vips}
        if all(len(each) == 1 for each in held.values()) or time.monotonic() > deadline:
            return held
        time.sleep(1)
