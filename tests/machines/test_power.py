"""Power cuts, by which a machine loses all that its disk does not have for good. Seeds are in the tests' names."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass

import chaos_judge as judge
import pytest
from chaos_changes import CHANGES, Change
from chaos_faults import UNSEEN
from chaos_pair import Command, Pair
from harness import VIPS
from machines import NODES, Machines, holders_within

RUN = 400.0  # s: the longest that one lbdeploy may take on a slow machine
SETTLED = 120.0  # s until servers are found up again, and nothing is at work
ONE_HOLDER = 30.0  # s after the boot, as docs/reliability.md says
FIRST = 3  # progress line; before it lbdeploy has only begun to connect
DELAY = 4.0  # s after that line
AFTER = 10.0  # s after exit 0
# They need other hosts, or change no file, or what slow machines have set already.
LEFT_OUT = ("server added", "rollback", "disabled", "drift", "reinstalled", "timer of the check")
CANDIDATES = [each for each in CHANGES if each.works and not any(word in each.name for word in LEFT_OUT)]

FIRST_SEED = int(os.environ.get("SEED") or time.time() % 100000)
CUTS = int(os.environ.get("CUTS") or 1)  # of each kind, each with the next seed
seeds = pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + CUTS))


@dataclass(frozen=True)
class Draw:
    """What a seed means: the change, whose power is cut, when, and whether the laptop dies at the same instant."""

    seed: int
    change: Change
    targets: tuple[str, ...]
    line: int
    delay: float
    after: float
    laptop: bool

    def __str__(self) -> str:
        who = " and ".join((*self.targets, *(["the laptop"] if self.laptop else [])))
        when = f"{self.delay:.2f} s after line {self.line}, or {self.after:.2f} s after exit 0"
        return f"seed {self.seed}: {self.change.name}; {who}; {when}"


def draw(seed: int) -> Draw:
    """Changes on which the nodes must agree are half of them: they have the most to lose."""
    rng = random.Random(seed)
    agreed = rng.random() < 0.5
    change = rng.choice([each for each in CANDIDATES if each.agreed is agreed])
    targets = rng.choice([("lb1",), ("lb2",), NODES])
    line, delay = rng.randint(FIRST, change.lines), rng.uniform(0, DELAY)
    return Draw(seed, change, targets, line, delay, rng.uniform(0, AFTER), rng.random() < 0.5)


class Cut:
    """A change that is begun, and whose machines lose their power; `wrong` is what should not be."""

    def __init__(self, machines: Machines, drawn: Draw) -> None:
        print(drawn)
        self.machines = machines
        self.pair = Pair(machines)
        arguments = drawn.change.make(self.pair, random.Random(drawn.seed))
        self.before = self.pair.files()
        self.command = Command(self.pair, *arguments)
        self.wrong: list[str] = []

    def power(self, targets: tuple[str, ...]) -> None:
        """Cut it, boot, and see who holds the VIPs."""
        self.machines.cut(*targets)
        self.machines.boot(*targets)
        held = holders_within(self.machines, VIPS, ONE_HOLDER)
        self.wrong += [
            f"{vip} is held by {' and '.join(who) or 'nobody'}" for vip, who in held.items() if len(who) != 1
        ]

    def settled(self) -> judge.Files:
        """The files of the machines, once nothing is at work any more; none is torn."""
        looks, unsettled = judge.settle(self.pair, VIPS, SETTLED)
        self.wrong += [*unsettled, *judge.of_files(looks), *torn(self.machines)]
        return {node: look.files for node, look in looks.items()}


def torn(machines: Machines) -> list[str]:
    """Files with blocks that were never written, a row of NUL bytes, and generations that lost their number."""
    look = (
        "grep -rlaP '\\x00' /var/lib/lbdeploy /etc/haproxy /etc/keepalived /etc/sysctl.d /etc/systemd/system; "
        "find /var/lib/lbdeploy/generations -name number -empty"
    )
    return [f"{node}: {path}" for node in NODES for path in machines.on(node, look, check=False).splitlines()]


@seeds
def test_power_cut_in_the_middle_of_a_change(pair: Machines, seed: int) -> None:
    """Within 30 s after the boot each VIP has one holder, the nodes agree, no file is torn; the next `up` converges."""
    drawn = draw(seed)
    cut = Cut(pair, drawn)
    cut.command.until_line(drawn.line, RUN)
    cut.command.until_end(drawn.delay)
    if drawn.laptop:
        cut.command.signal(signal.SIGKILL)
    cut.power(drawn.targets)
    assert cut.command.until_end(RUN), cut.command.text()
    between = cut.settled()
    wrong = [*cut.wrong, *judge.of_command(cut.command, UNSEEN | {0, -signal.SIGKILL})]
    wrong += judge.agreed(cut.before, between) if drawn.change.agreed else []
    wrong += judge.as_before(cut.before, between, NODES if cut.command.code == 7 else ())
    assert wrong == [], cut.command.text()
    done = pair.run("--json", "up", "--lock-wait", f"{judge.FREED:g}")
    assert done.code == 0, done.out + done.err
    assert not (cut.command.code == 0 and done.json["changes"])
    assert pair.do("up")["changes"] == []
    assert [*judge.old_or_new([cut.before, cut.pair.files()], between)] == []


@seeds
def test_power_cut_after_exit_0(pair: Machines, seed: int) -> None:
    """What was reported as done is there after the boot, and nothing is left to do."""
    drawn = draw(seed)
    cut = Cut(pair, drawn)
    assert cut.command.until_end(RUN)
    assert cut.command.code == 0, cut.command.text()
    time.sleep(drawn.after)
    cut.power(drawn.targets)
    cut.settled()
    assert cut.wrong == []
    assert pair.do("up")["changes"] == []
