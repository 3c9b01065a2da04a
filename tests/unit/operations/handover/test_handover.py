"""A handover that fails, without nodes: what it leaves behind, and what it says of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import InterruptedRunError, LbdeployError, LostError, RemoteError
from lbdeploy.events import silent
from lbdeploy.node.paths import LOCK
from lbdeploy.node.vrrp_priority import HANDOVER
from lbdeploy.operations.handover import handover
from lbdeploy.operations.handover.handover import Handover
from lbdeploy.ssh.transport.session import CommandResult

ANN, BOB = "ann: lbdeploy handover", "bob: lbdeploy up"
BEFORE = {"lb1": 0, "lb2": 0}


class Machine:
    """A node whose scripts a shell here runs, on files of its own. `lost` connections end before they do anything."""

    def __init__(self, folder: Path, vips: Iterable[str]) -> None:
        folder.mkdir()
        self.offset, self.lock, self.addresses = folder / "offset", folder / "lock", folder / "addresses"
        self.offset.write_text("0\n")
        self.lock.write_text(f"{ANN}\n")
        self.have(vips)
        self.lost = 0
        self.looked: Callable[[], None] = lambda: None

    def have(self, vips: Iterable[str]) -> None:
        inet = "".join(f"    inet {vip}/24 scope global ens33\n" for vip in vips)
        self.addresses.write_text(f"2: ens33: <UP,LOWER_UP> mtu 1500\n{inet}")

    def run(self, script: str, limits: object) -> CommandResult:
        if self.lost:
            self.lost -= 1
            raise LostError("the connection was lost", node="")
        if "ip a" in script:
            self.looked()
        text = script.replace(HANDOVER, str(self.offset)).replace(LOCK, str(self.lock))
        given = f"ip() {{ cat {self.addresses}; }}\n{text}"
        done = subprocess.run(["sh", "-s"], input=given, capture_output=True, text=True, check=False)
        return CommandResult(done.stdout + done.stderr, done.returncode)


class Pool:
    def __init__(self, cluster: Cluster, machines: dict[str, Machine]) -> None:
        self.nodes, self.machines = cluster.nodes, machines

    def each(self, nodes: Iterable[Node], work: Callable[[Node, Any], Any]) -> dict[str, Any]:
        return {node.name: self._one(node, work) for node in nodes}

    def _one(self, node: Node, work: Callable[[Node, Any], Any]) -> Any:
        try:
            return work(node, self.machines[node.name])
        except LbdeployError as error:
            return error

    def reopen(self, node: Node) -> Machine:
        return self.machines[node.name]


class Pair:
    """lb1, which has the VIPs, and lb2, to which they are to be handed over."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.vips = [str(vip.ip) for vip in cluster.vips]
        self.lb1, self.lb2 = Machine(folder / "lb1", self.vips), Machine(folder / "lb2", [])
        pool: Any = Pool(cluster, {"lb1": self.lb1, "lb2": self.lb2})
        self.handover = Handover(cluster, pool, silent, ANN)
        self.handover._limit = 0.3

    def move(self) -> None:
        self.handover._move(BEFORE, "lb1", "lb2", "lbdeploy handover --to lb2")

    def take(self) -> None:
        """What keepalived does, once it prefers lb2."""
        self.lb1.have([])
        self.lb2.have(self.vips)

    def failing(self) -> RemoteError:
        with pytest.raises(RemoteError) as caught:
            self.move()
        return caught.value

    @property
    def offsets(self) -> list[str]:
        return [each.offset.read_text().strip() for each in (self.lb1, self.lb2)]


@pytest.fixture
def pair(seed: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(handover, "BASELINE", 0.0)
    monkeypatch.setattr(handover, "POLL_SECONDS", 0.05)
    return Pair(seed, tmp_path)


def test_the_priorities_stay_until_the_vips_have_moved(pair: Pair) -> None:
    pair.lb2.looked = pair.take
    pair.move()
    assert pair.offsets == ["0", "101"]


def test_what_another_run_has_written_since_is_left_as_it_is(pair: Pair) -> None:
    """The laptop slept, and an `up` has lowered the taker since: it would be preferred in mid-change."""

    def sleep() -> None:
        for each in (pair.lb1, pair.lb2):
            each.lock.write_text(f"{BOB}\n")
        pair.lb2.offset.write_text("-253\n")

    pair.lb2.looked = sleep
    error = pair.failing()
    assert pair.offsets == ["0", "-253"]
    assert "lb2's priority may still be another one than before (another run has had the lock since: bob" in str(
        error.state
    )


def test_one_that_fails_is_taken_back_and_looked_at(pair: Pair) -> None:
    error = pair.failing()
    assert pair.offsets == ["0", "0"]
    assert error.message.startswith("it did not take the VIPs within")
    assert error.state == "lb1 holds the VIPs, as before; the priorities are as before"


def test_a_giver_that_does_not_answer_may_have_the_vips(pair: Pair) -> None:
    """It is no proof that they have moved; and who has them is not made up."""

    def die() -> None:
        pair.lb1.lost = 1000
        pair.lb2.have(pair.vips)

    pair.lb2.looked = die
    error = pair.failing()
    assert error.message.startswith("lb1 did not say whether it has let go of the VIPs within")
    assert error.state == (
        "lb2 has VIPs; whether lb1 has VIPs is not known: no answer; "
        "lb1's priority may still be another one than before (the connection was lost); lb2's priority is as before"
    )
    assert pair.offsets[1] == "0"


def test_a_connection_that_is_lost_leaves_no_priority_raised(pair: Pair) -> None:
    """It is written over a new one."""
    pair.handover._limit = 0.0

    def lose() -> None:
        pair.lb2.lost, pair.lb2.looked = 1, lambda: None

    pair.lb2.looked = lose
    assert pair.failing().state == "lb1 holds the VIPs, as before; the priorities are as before"
    assert pair.offsets == ["0", "0"]


def test_a_write_that_fails_is_told(pair: Pair) -> None:
    """As where the disk is full."""
    pair.lb2.offset.unlink()
    pair.lb2.offset.mkdir()
    error = pair.failing()
    assert "irectory" in error.message
    assert "lb2's priority may still be another one than before" in str(error.state)


def test_ctrl_c_says_who_holds_the_vips_after_a_look(pair: Pair) -> None:
    """They may have moved in that very moment."""

    def ask() -> None:
        pair.handover._interrupt.asked = True
        pair.lb1.looked = pair.take

    pair.lb2.looked = ask
    with pytest.raises(InterruptedRunError) as caught:
        pair.move()
    assert caught.value.state == "lb2 has VIPs; the priorities are as before"
    assert pair.offsets == ["0", "0"]
