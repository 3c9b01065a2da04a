"""The scripts that tell the operator's script of keepalived's state. They run here; a test plays systemd."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import SEED, cluster

from lbdeploy.node.paths import NOTIFY_FOLDER
from lbdeploy.planning.desired import DELIVER_STATE, PATHS, TELL_STATE, files

pytestmark = pytest.mark.terminal

# A systemctl that starts and restarts one process, as systemd does with the service.
SYSTEMCTL = """#!/bin/sh
cd "{folder}"
running() {{ [ -e pid ] && kill -0 "$(cat pid)" 2> /dev/null; }}
echo "$2" >> systemctl
[ "$2" != start ] || ! running || exit 0
! running || kill -- "-$(cat pid)"
setsid sh "{folder}/deliver" 9>&- > said 2>&1 &
echo $! > pid
"""
HOOK = """#!/bin/sh
echo "$3" >> "{folder}/attempts"
[ ! -e "{folder}/slow" ] || sleep 60
[ ! -e "{folder}/broken" ] || exit 7
echo "$*" >> "{folder}/heard"
"""


class Node:
    """lb1, with a script that is told of MASTER and BACKUP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hook").write_text(HOOK.format(folder=folder))
        (folder / "hook").chmod(0o755)
        keys = 'notify_master = "hook"\nnotify_backup = "hook"\nnotify_retry = 1\nnotify_timeout = 60\n'
        found = cluster(folder, SEED.read_text().replace("[vrrp]\n", f"[vrrp]\n{keys}"))
        texts = {each.path: each.content for each in files(found, found.preferred)}
        for path, name in ((TELL_STATE, "tell"), (DELIVER_STATE, "deliver")):
            text = texts[path].replace(NOTIFY_FOLDER, str(folder / "queue"))
            for state in ("MASTER", "BACKUP"):
                text = text.replace(PATHS.notify_of(state), str(folder / "hook"))
            (folder / name).write_text(text)
        (folder / "bin").mkdir()
        (folder / "bin/systemctl").write_text(SYSTEMCTL.format(folder=folder))
        (folder / "bin/systemctl").chmod(0o755)

    def tell(self, state: str, *command: str) -> str:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        argv = ["sh", str(self.folder / "tell"), state, *command]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"PATH": path}, timeout=20)
        return done.stdout

    def text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    @property
    def heard(self) -> list[str]:
        return [line.split()[2] for line in self.text("heard").splitlines()]

    @property
    def result(self) -> list[str]:
        return self.text("queue/result").split()

    def until(self, heard: list[str]) -> None:
        deadline = time.monotonic() + 20
        while self.heard != heard or self.result[1:2] != ["delivered"]:
            assert time.monotonic() < deadline, (self.heard, self.result)
            time.sleep(0.05)

    def end(self) -> None:
        subprocess.run(["sh", "-c", 'kill -- "-$(cat pid)"'], check=False, cwd=self.folder, capture_output=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = Node(tmp_path)
    yield found
    found.end()


def test_each_state_is_told_and_the_command_runs(node: Node) -> None:
    """With the arguments that keepalived's own notify gives; a state without a script is no failure."""
    assert node.tell("MASTER", "echo", "moved on") == "moved on\n"
    node.until(["MASTER"])
    assert node.text("heard") == "INSTANCE VI_K8S_API MASTER 200\n"
    node.tell("FAULT")
    while node.result[:2] != ["FAULT", "delivered"]:
        time.sleep(0.05)
    assert node.heard == ["MASTER"]


def test_master_again_is_told_again(node: Node) -> None:
    """Somebody else may have claimed the address meanwhile."""
    for count in (1, 2, 3):
        node.tell("MASTER", "true")
        node.until(["MASTER"] * count)


def test_a_script_is_run_again_until_it_succeeds(node: Node) -> None:
    (node.folder / "broken").touch()
    node.tell("MASTER", "true")
    deadline = time.monotonic() + 20
    while node.result[3:] != ["2", "7"]:
        assert time.monotonic() < deadline, node.result
        time.sleep(0.05)
    assert node.heard == []
    (node.folder / "broken").unlink()
    node.until(["MASTER"])
    assert int(node.result[3]) >= 2


def test_one_that_hangs_is_superseded_by_another_state_at_once(node: Node) -> None:
    """The same state does not end what is under way for it: a holder that hears a second one is told each second."""
    (node.folder / "slow").touch()
    node.tell("MASTER", "true")
    while not node.text("attempts"):
        time.sleep(0.05)
    node.tell("MASTER", "true")
    deadline = time.monotonic() + 10
    while node.text("systemctl").split() != ["restart", "start"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert node.text("attempts").split() == ["MASTER"]
    (node.folder / "slow").unlink()
    node.tell("BACKUP", "true")
    node.until(["BACKUP"])  # within 20 s, of the 60 that a script has


def test_a_much_earlier_tell_with_a_greater_pid_drops_nothing(node: Node) -> None:
    """PIDs have begun anew since; or the clock was set back. Of two at one moment, the greater PID is the later."""
    (node.folder / "queue").mkdir()
    for age, heard in ((0, False), (31, True), (-60, True)):
        # The next process has a lesser PID than this, but not by 1000.
        by = int(Path("/proc/sys/kernel/ns_last_pid").read_text()) + 900
        (node.folder / "queue/told").write_text(f"BACKUP 4 {by} {int(time.time()) - age}\n")
        node.tell("MASTER")
        assert node.text("queue/told").startswith("MASTER 5 " if heard else "BACKUP 4 ")


def test_of_a_burst_of_states_the_last_one_is_told_last(node: Node) -> None:
    for state in ("BACKUP", "MASTER", "BACKUP", "MASTER", "MASTER", "BACKUP"):
        node.tell(state, "true")
    deadline = time.monotonic() + 20
    while node.result[:2] != ["BACKUP", "delivered"] or node.heard[-1:] != ["BACKUP"]:
        assert time.monotonic() < deadline, (node.heard, node.result)
        time.sleep(0.05)
    time.sleep(0.5)
    assert node.heard[-1] == "BACKUP"
