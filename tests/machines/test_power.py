"""Power cuts, by which a machine loses all that its disk does not have for good. Seeds are in the tests' names."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass

import chaos_judge as judge
import pytest
from chaos_changes import CHANGES, Change
from chaos_pair import Command, Pair
from harness import VIPS
from machines import NODES, Machines, holders_within

RUN = 400.0  # s: the longest that one lbdeploy may take on a slow machine
SETTLED = 120.0  # s until servers are found up again, and nothing is at work
ONE_HOLDER = 30.0  # s after the boot, as docs/reliability.md says
FIRST = 3  # progress line; before it lbdeploy has only begun to connect
DELAY = 4.0  # s after that line
AFTER = 10.0  # s after exit 0
LEFT_OUT = ("server added", "rollback", "disabled", "drift", "reinstalled")  # they need other hosts, or no file changes
CANDIDATES = [each for each in CHANGES if each.works and not any(word in each.name for word in LEFT_OUT)]


@dataclass(frozen=True)
class Draw:
    """What a seed means: the change, whose power is cut, and whether the laptop dies at the same instant."""

    change: Change
    targets: tuple[str, ...]
    line: int
    delay: float
    after: float
    laptop: bool

    def __str__(self) -> str:
        who = " and ".join((*self.targets, *(["the laptop"] if self.laptop else [])))
        return (
            f"{self.change.name}; {who}; {self.delay:.2f} s after line {self.line}, or {self.after:.2f} s after exit 0"
        )


def draw(seed: int) -> Draw:
    """Changes on which the nodes must agree are half of them: they have the most to lose."""
    rng = random.Random(seed)
    agreed = rng.random() < 0.5
    change = rng.choice([each for each in CANDIDATES if each.agreed is agreed])
    targets = rng.choice([("lb1",), ("lb2",), NODES])
    line, delay = rng.randint(FIRST, change.lines), rng.uniform(0, DELAY)
    return Draw(change, targets, line, delay, rng.uniform(0, AFTER), rng.random() < 0.5)


@pytest.fixture
def drawn(seed: int, capsys: pytest.CaptureFixture[str]) -> Draw:
    """What is going to happen, told at once: who ends a run that hangs wants to know."""
    found = draw(seed)
    with capsys.disabled():
        print(f"\n  seed {seed}: {found}")
    return found


def begin(machines: Machines, drawn: Draw, seed: int) -> tuple[Pair, Command]:
    """The change, begun."""
    pair = Pair(machines)
    return pair, Command(pair, *drawn.change.make(pair, random.Random(seed)))


def power_cut(machines: Machines, drawn: Draw) -> list[str]:
    """Cut the power, boot, and see who holds the VIPs; what is wrong."""
    machines.cut(*drawn.targets)
    machines.boot(*drawn.targets)
    held = holders_within(machines, VIPS, ONE_HOLDER)
    return [f"{vip} is held by {' and '.join(each) or 'nobody'}" for vip, each in held.items() if len(each) != 1]


def torn(machines: Machines) -> list[str]:
    """Files with blocks that were never written: a row of NUL bytes stands for them."""
    look = "grep -rlaP '\\x00' /var/lib/lbdeploy /etc/haproxy /etc/keepalived /etc/sysctl.d /etc/systemd/system"
    return [f"{node}: {path}" for node in NODES for path in machines.on(node, look, check=False).splitlines()]


def test_power_cut_in_the_middle_of_a_change(pair: Machines, drawn: Draw, seed: int) -> None:
    """Within 30 s after the boot each VIP has one holder, the nodes agree, no file is torn; the next `up` converges."""
    before = Pair(pair).files()
    chaos, command = begin(pair, drawn, seed)
    command.until_line(drawn.line, RUN)
    command.until_end(drawn.delay)
    if drawn.laptop:
        command.signal(signal.SIGKILL)
    wrong = power_cut(pair, drawn)
    assert command.until_end(RUN), command.text()
    looks, unsettled = judge.settle(chaos, VIPS, SETTLED)
    wrong += [*unsettled, *judge.of_files(looks), *torn(pair)]
    between = {node: look.files for node, look in looks.items()}
    wrong += judge.agreed(before, between) if drawn.change.agreed else []
    wrong += judge.as_before(before, between, NODES if command.code == 7 else ())
    assert wrong == [], command.text()
    converges(pair)
    assert [*judge.old_or_new([before, chaos.files()], between)] == []


def test_power_cut_after_exit_0(pair: Machines, drawn: Draw, seed: int) -> None:
    """What was reported as done is there after the boot, and nothing is left to do."""
    chaos, command = begin(pair, drawn, seed)
    assert command.until_end(RUN)
    assert command.code == 0, command.text()
    time.sleep(drawn.after)
    wrong = power_cut(pair, drawn)
    looks, unsettled = judge.settle(chaos, VIPS, SETTLED)
    assert [*wrong, *unsettled, *judge.of_files(looks), *torn(pair)] == []
    assert pair.do("up")["changes"] == []


def converges(machines: Machines) -> None:
    """The next `up` does what is left to do; the one after it finds nothing."""
    done = machines.run("up", "--lock-wait", f"{judge.FREED:g}")
    assert done.code == 0, done.out + done.err
    assert machines.do("up")["changes"] == []
