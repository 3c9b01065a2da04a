"""kubectl against the lab's API servers: what its users notice where VIPs move."""

from __future__ import annotations

import json
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
