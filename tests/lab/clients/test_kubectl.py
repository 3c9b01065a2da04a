"""kubectl against the lab's API servers: what its users notice where VIPs move."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from itertools import pairwise
from pathlib import Path

from etcd import Reading
from harness import VIPS, Lab, held_by, wait_for

SILENT = 8.0  # s; the VIPs are away for 3.7


def kubectl(lab: Lab, programs: Path, path: str) -> list[str]:
    """A request of kubectl in the client's network."""
    given = [f"--server=https://{VIPS[0]}:6443", "--insecure-skip-tls-verify", "--token=none", "get", "--raw", path]
    return ["ip", "netns", "exec", lab.namespace("client"), str(programs / "kubectl"), *given]


class Watches:
    """A raw watch of kubectl; it is begun again when it ends."""

    def __init__(self, argv: list[str]) -> None:
        self.all = [Reading(argv)]
        self._over = threading.Event()
        self._argv = argv
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._over.wait(0.02):
            if not self.all[-1].runs:
                self.all.append(Reading(self._argv))

    @property
    def events(self) -> int:
        return sum(len(each.lines) for each in self.all)

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        for each in self.all:
            each.end()


def test_requests_and_watches_go_on(pair: Lab, programs: Path) -> None:
    """No request fails over a handover; a watch ends at each move, and has every event until then."""
    watches = Watches(kubectl(pair, programs, "/watch"))
    failed: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            argv = kubectl(pair, programs, "/version")
            done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
            if done.returncode:
                failed.append(done.stderr)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_for(lambda: watches.events > 20, 20)
        pair.do("handover", "--to", "lb2")
        wait_for(lambda: held_by(pair, "lb2"), 30)
        seen = watches.events
        wait_for(lambda: watches.events > seen + 20, 30)
        moved = list(failed)
        pair.lab("stop", "lb2")
        wait_for(lambda: held_by(pair, "lb1", VIPS[0]), 20)
        seen = watches.events
        wait_for(lambda: watches.events > seen + 20, 30)
    finally:
        over.set()
        asking.join()
        watches.end()
        pair.lab("start", "lb2")
    assert moved == []
    assert len(failed) <= 1  # the one that was under way when the power was cut
    heard = [line for each in watches.all for line in each.lines]
    assert max(after - before for (before, _), (after, _) in pairwise(heard)) < SILENT
    for each in watches.all:
        numbers = [json.loads(line)["number"] for _, line in each.lines if line.endswith("}")]
        assert numbers == list(range(len(numbers)))
    assert len([each for each in watches.all if each.lines]) == 3


def kubeconfig(lab: Lab) -> Path:
    """The one that `lab up` has written."""
    return Path(lab.lbdeploy("--json", "lab", "status").json["lab"]["kubeconfig"])


def admin(lab: Lab, programs: Path, *arguments: str) -> list[str]:
    """kubectl with the lab's kubeconfig, where the operator is."""
    config = kubeconfig(lab)
    assert config.stat().st_mode & 0o777 == 0o600
    inside = ["ip", "netns", "exec", lab.namespace("operator"), str(programs / "kubectl"), f"--kubeconfig={config}"]
    return [*inside, "--request-timeout=20s", *arguments]


def names(lab: Lab, programs: Path, *arguments: str) -> list[str]:
    """What kubectl lists."""
    argv = [*admin(lab, programs, *arguments), "-o", "name"]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.split()


def test_kubectl_gets_what_it_asks_for(pair: Lab, programs: Path) -> None:
    """Through the VIP, with certificates that are checked: nodes, slices, one object, and a watch that goes on."""
    assert names(pair, programs, "get", "nodes") == ["node/master1", "node/master2", "node/master3"]
    assert names(pair, programs, "get", "node", "master2") == ["node/master2"]
    assert names(pair, programs, "get", "endpointslices") == ["endpointslice.discovery.k8s.io/kubernetes"]
    assert names(pair, programs, "get", "endpoints") == ["endpoints/kubernetes"]
    watch = Reading(admin(pair, programs, "get", "nodes", "--watch", "-o", "name"))
    try:
        wait_for(lambda: len(watch.lines) > 5, 20)
    finally:
        watch.end()
    assert {line for _, line in watch.lines} == {f"node/master{number}" for number in (1, 2, 3)}


def test_servers_follow_the_cluster(pair: Lab, programs: Path) -> None:
    """A server that hosts.toml lacks is told by `servers` and `verify`, and written; one that is stopped stays."""
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    config = str(kubeconfig(pair))
    assert pair.run("--json", "servers", env=path).code == 0
    pair.lab("stop", "master2")
    try:
        pair.edit('master3 = "192.168.1.23"\n', "# nothing here\n")
        lacking = pair.run("--json", "servers", env=path)
        assert lacking.code == 3
        states = {each["server"]: each["state"] for each in lacking.json["servers"]}
        assert states == {"master1": "same", "master2": "silent", "master3": "missing"}
        found = pair.run("--json", "verify", "--kubeconfig", config, env=path).json["findings"]
        assert [each["subject"] for each in found if each["check"] == "members"] == ["k8s-api/master3"]
        assert pair.run("--json", "servers", "--write", env=path).json["written"] is True
        assert "# nothing here\n" in pair.file.read_text()
        assert pair.do("plan")["changes"] == []
    finally:
        pair.file.write_text(pair.original)
        pair.lab("start", "master2")
