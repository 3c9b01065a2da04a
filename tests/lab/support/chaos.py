"""A random fault at a random moment of a random change of a live pair, again and again. See docs/chaos.md.

A run is its seed: it draws the change, the fault, the node that it hits, and the moment.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "support"))  # where pytest finds it, too

import chaos_judge as judge
from chaos_changes import CHANGES, Change
from chaos_faults import FAULTS, NOTHING, Fault, Scene
from chaos_pair import NODES, Command, Pair
from clients import traffic
from harness import TOP, Lab

VIPS = ("192.168.0.10", "192.168.1.10")
FIRST = 3  # progress line; before it lbdeploy has only begun to connect
AFTER = (0.0, 0.6)  # s after a line: some come in one go
LAG = 0.5  # s; a client that waited longer for the machine may blame the nodes for that
LINE = 0.4  # s that a line takes, where the moment is a time after the beginning
WORDS = ("await", "confirmed", "kept", "agree", "exit")  # of a node's journal: the steps of a confirmation
AFTER_WORD = 0.4  # s; it all happens within less


@dataclass(frozen=True)
class Draw:
    """What a seed means.

    The fault strikes after `line` progress lines, or once `word` is in the journal of `watched`, and `delay` seconds.
    """

    seed: int
    change: Change
    fault: Fault
    target: str  # a node, or "" for the one that is being changed
    line: int
    delay: float
    word: str = ""
    watched: str = ""

    def __str__(self) -> str:
        where = self.target or "the node in change"
        moment = f'"{self.word}" on {self.watched}' if self.word else f"line {self.line}"
        when = f"{self.delay:.2f} s after {moment}"
        return f"seed {self.seed}: {self.change.name}, {self.fault.name} ({where}, {when})"


def draw(seed: int, change: str = "", fault: str = "") -> Draw:
    """The run of a seed; `change` and `fault` are parts of names to choose among, instead of all."""
    rng = random.Random(seed)
    # Those on which nodes must agree as often as all others, for they have the most to lose.
    possible = [each for each in CHANGES if change in each.name]
    agreed, others = ([each for each in possible if each.agreed is wanted] for wanted in (True, False))
    made = rng.choice(rng.choice([each for each in (agreed, others) if each]))
    struck = rng.choice([each for each in FAULTS if fault in each.name])
    target = rng.choice(NODES if struck.prepare else ["", *NODES])
    way = rng.random()
    if way < 1 / 3:
        return Draw(seed, made, struck, target, rng.randint(FIRST, made.lines), rng.uniform(*AFTER))
    if way < 2 / 3:
        return Draw(seed, made, struck, target, 0, rng.uniform(FIRST, made.lines) * LINE)
    word, watched = rng.choice(WORDS), rng.choice(NODES)
    return Draw(seed, made, struck, target, 0, rng.uniform(0, AFTER_WORD), word, watched)


@dataclass
class Report:
    """How a run went: `wrong` is empty where all is well. Times in `seen` and `said` are in s since the run began."""

    draw: Draw
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    took: float = 0.0
    target: str = ""
    code: int | None = None
    too_late: bool = False

    def line(self) -> str:
        """In one line."""
        lost = f"{len(self.seen.get('failures', []))} failed, {len(self.seen.get('broken', []))} broken"
        lost += f", the client lagged {self.seen['lag_s']:.1f} s" if self.seen.get("lag_s", 0) > LAG else ""
        late = ", but it had ended before" if self.too_late else ""
        return f"{'FAIL' if self.wrong else 'ok  '} {self.draw}{late}: exit {self.code}, {lost}, {self.took:.0f} s"

    def text(self) -> str:
        """All of it."""
        again = f"  again: make chaos SEED={self.draw.seed} RUNS=1"
        return "\n".join([self.line(), *(f"  WRONG: {each}" for each in self.wrong), again, *self.said])


class Chaos:
    """Runs, on one pair. After a run that went wrong the pair is made anew."""

    def __init__(self, lab: Lab) -> None:
        self.pair = Pair(lab)

    def run(self, drawn: Draw) -> Report:
        """The whole of a run."""
        report, began, since = Report(drawn), time.monotonic(), time.strftime("%F %T")
        try:
            self._start()
            self._perform(drawn, report)
        except Exception as error:  # the next run goes on, whatever became of this one
            report.wrong.append(f"{type(error).__name__}: {error}")
        if report.wrong:
            report.said += [self.pair.logs(node, since) for node in NODES] + [self.pair.plan()]
            self._anew()
        report.took = time.monotonic() - began
        return report

    def _start(self) -> None:
        """A healthy pair as hosts.toml says, whose VIPs are with their preferred holder."""
        self.pair.original()
        self.pair.add_machines()
        _, wrong = judge.converge(self.pair)
        wrong += judge.settle(self.pair, VIPS)[1]
        assert not wrong, f"before the change: {wrong}"
        deadline = time.monotonic() + judge.SETTLED
        while not self.pair.look(judge.HOLDER).addresses.issuperset(VIPS):
            assert time.monotonic() < deadline, f"before the change: {judge.HOLDER} does not get the VIPs"
            time.sleep(0.5)

    def _perform(self, drawn: Draw, report: Report) -> None:
        """Change, fault and judgement, under the eyes of a client."""
        rng = random.Random(drawn.seed)
        if drawn.fault.prepare:
            drawn.fault.prepare(self.pair, drawn.target)
        known = [self.pair.files()]
        arguments = drawn.change.make(self.pair, rng)
        known.append(self.pair.files())
        with traffic(self.pair.lab, *VIPS) as report.seen:
            scene = Scene(self.pair, Command(self.pair, *arguments), drawn.target, rng)
            self._let_it_happen(drawn, scene, report)
            self._judge_commands(drawn, scene, report)
            self._judge_nodes(drawn.change, known, report)
        report.target = scene.target
        _count_from(scene.command.began, report.seen)
        struck = NOTHING if report.too_late else drawn.fault
        outage = judge.allowed_outage(drawn.change, struck, scene.target)
        breaks = judge.may_break(drawn.change, struck, scene.target)
        cut_for = judge.allowed_cut(drawn.change, struck, scene.target)
        report.wrong += judge.of_client(report.seen, outage, breaks=breaks, cut_for=cut_for)

    def _let_it_happen(self, drawn: Draw, scene: Scene, report: Report) -> None:
        """Wait for the moment, strike, and heal."""
        command, fault = scene.command, drawn.fault
        if drawn.word:
            report.too_late = not command.until_word(drawn.word, drawn.watched, judge.RUN)
        else:
            report.too_late = not command.until_line(drawn.line, judge.RUN)
        report.too_late = report.too_late or command.until_end(drawn.delay)
        if not report.too_late:
            scene.target = drawn.target or command.changing
            at = time.monotonic()
            fault.strike(scene)
            report.said.append(f"{at - command.began:6.2f} {fault.name}: {scene.target}")
            if fault.lasts:
                time.sleep(fault.lasts)
                fault.heal(scene)
                report.said.append(f"{time.monotonic() - command.began:6.2f} healed")
        if not command.until_end(judge.RUN):
            report.wrong.append(f"lbdeploy did not end in {judge.RUN:g} s")
            command.signal(signal.SIGKILL)
        if not fault.lasts:
            fault.heal(scene)

    def _judge_commands(self, drawn: Draw, scene: Scene, report: Report) -> None:
        report.code = scene.command.code
        commands = [scene.command, *scene.others]
        report.said += [each.text() for each in commands]
        codes = judge.allowed_codes(drawn.change, NOTHING if report.too_late else drawn.fault)
        report.wrong += [wrong for each in commands for wrong in judge.of_command(each, codes)]
        if all(each.code == 5 for each in commands):
            report.wrong.append("no run got the lock")

    def _judge_nodes(self, change: Change, known: list[judge.Files], report: Report) -> None:
        """The nodes by themselves, and after the next `up`. `known`: the files of earlier on, the latest last."""
        looks, wrong = judge.settle(self.pair, VIPS)
        between = {node: look.files for node, look in looks.items()}
        report.wrong += [*wrong, *judge.of_files(looks, recorded=True)]
        if change.agreed:
            report.wrong += judge.agreed(known[-1], between)
        unchanged = NODES if report.code == 7 else change.hopeless(self.pair)
        report.wrong += judge.as_before(known[-1], between, unchanged)
        change.mend(self.pair)
        if not change.works:
            self.pair.original()
        commands, wrong = judge.converge(self.pair)
        report.said += [each.text() for each in commands]
        looks, unsettled = judge.settle(self.pair, self.pair.vips())
        report.wrong += [*wrong, *unsettled, *judge.of_files(looks), *judge.of_services(looks)]
        after = {node: look.files for node, look in looks.items()}
        if change.works:
            report.wrong += judge.old_or_new([*known, after], between)

    def _anew(self) -> None:
        self.pair.original()
        self.pair.lab.lbdeploy("lab", "down")
        self.pair.add_machines()


def _count_from(began: float, seen: dict[str, Any]) -> None:
    for each in [*seen["failures"], *seen["late"], *seen["broken"]]:
        each.update((when, round(each[when] - began, 2)) for when in ("at", "until"))


def main() -> int:
    """Runs, each told in a line, those that went wrong in full; then how many did. If interrupted, ends with them."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends it finds no lab left behind
    seeds = deque(range(arguments.seed, arguments.seed + arguments.runs))
    print(f"{arguments.runs} runs, from seed {arguments.seed}, in {arguments.labs} labs at once", flush=True)
    reports: list[Report] = []
    with ThreadPoolExecutor(arguments.labs) as pool:
        try:
            labs = [pool.submit(_in_a_lab, seeds, reports, arguments) for _ in range(arguments.labs)]
            for each in as_completed(labs):
                each.result()
        finally:
            seeds.clear()
    failed = sorted(each.draw.seed for each in reports if each.wrong)
    done = len(reports)
    print(f"{done - len(failed)} of {done} runs were right" + (f"; wrong: {failed}" if failed else ""))
    return 1 if failed or done < arguments.runs else 0


def _in_a_lab(seeds: deque[int], reports: list[Report], arguments: argparse.Namespace) -> None:
    """Runs, for as long as there are seeds, in a lab that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        lab = a_lab(Path(folder))
        try:
            chaos = Chaos(lab)
            while seeds:
                report = chaos.run(draw(seeds.popleft(), arguments.change, arguments.fault))
                reports.append(report)
                print(report.text() if report.wrong or arguments.verbose else report.line(), flush=True)
        finally:
            lab.lbdeploy("lab", "down")


def a_lab(folder: Path) -> Lab:
    """The seed's pair, in a lab of its own, with a delay that does not take half of the time."""
    file = folder / "hosts.toml"
    file.write_text((TOP / "hosts.toml").read_text().replace("preempt_delay = 30", "preempt_delay = 2"))
    lab = Lab(file)
    lab.lab("up")
    return lab


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000, help="of the first run")
    parser.add_argument("--runs", type=int, default=40, help="how many, each with the next seed")
    parser.add_argument("--labs", type=int, default=1, help="how many at once; a core is enough for two")
    parser.add_argument("--change", default="", help="only changes with this in their names")
    parser.add_argument("--fault", default="", help="only faults with this in their names")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all of every run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
