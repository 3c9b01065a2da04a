"""How fast lbdeploy is: ratios to what the same machine does at the same time, since seconds alone depend on it.

    bench.py [--quick] [--write] [--rows 1,2,...]

Needs root, as the lab does. --quick leaves out pyinfra and Ansible; --write writes docs/performance.md. A target that
is missed is shown, and is no failure: the exit code is 0 when all could be measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleets import fleets
from imports import table as table_of_imports
from many import ANEW, many
from measure import (
    LIMIT_SECONDS,
    CommandFailed,
    Job,
    Times,
    in_turns,
    output,
    peak_megabytes,
    processor_seconds,
    progress,
    run,
)
from pair import LBDEPLOY, NODES, TOP, Pair, each_node
from rivals import Rival, rivals, versions
from wire import far_host

PAGE = TOP / "docs" / "performance.md"
PACKAGES = "haproxy keepalived socat"
ROUNDS = 15  # of what takes less than a second
RIVAL_ROUNDS = 3
FRESH_ROUNDS = 3
BESIDE = "2 ssh at once"
VERBOSE_SSHD = "/etc/ssh/sshd_config.d/zz-bench.conf"


@dataclass(frozen=True)
class Row:
    """A line of the table. `passed` is None for what has no target: it is there to compare with."""

    what: str
    measured: str
    beside: str
    result: str
    target: str = ""
    passed: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        verdict = {True: "pass", False: "MISS", None: ""}[self.passed]
        return self.what, self.measured, self.beside, self.result, self.target, verdict


HEADINGS = ("what", "measured", "beside", "result", "target", "")


class Bench:
    """The measurements, each of which yields its rows. `others` are the tools to compare with."""

    def __init__(self, pair: Pair, others: Sequence[Rival]) -> None:
        self.pair = pair
        self.others = others
        self.warm_ups: list[float] = []

    def converged(self) -> Iterator[Row]:
        """`up` where nothing has to be done, beside two logins at once."""
        ssh: Job = lambda: run(*each_node(lambda node: self.pair.ssh("operator", node, "true")))  # noqa: E731
        jobs: dict[str, Job] = {
            "two ssh": ssh,
            "in the lab": lambda: run(self.pair.lbdeploy("--lab", "up")),
            "plain": lambda: run(self.pair.unlabbed("operator", "up")),
        }
        times = in_turns(jobs, ROUNDS)
        base = times["two ssh"]
        yield _times("converged `up --lab`", times["in the lab"], base, BESIDE, 1.4)
        yield _times("converged `up`, in the operator's network", times["plain"], base, BESIDE, 1.4)
        yield from self._compared("operator", base, BESIDE)

    def distant(self) -> Iterator[Row]:
        """The same, 50 ms away."""
        with far_host(self.pair) as far:
            jobs: dict[str, Job] = {
                "ssh": lambda: run(self.pair.ssh(far, "lb1", "true")),
                "up": lambda: run(self.pair.unlabbed(far, "up")),
            }
            times = in_turns(jobs, ROUNDS)
            yield _times("converged `up`, 50 ms away", times["up"], times["ssh"], "1 ssh there", 1.05)
            yield from self._compared(far, times["ssh"], "1 ssh there")

    def one_core(self) -> Iterator[Row]:
        """The same on one core: of the operator's side, since the nodes are not lbdeploy's to confine."""
        pinned = ["taskset", "-c", "0"]
        jobs: dict[str, Job] = {
            "two ssh": lambda: run(*each_node(lambda node: [*pinned, *self.pair.ssh("operator", node, "true")])),
            "up": lambda: run([*pinned, *self.pair.unlabbed("operator", "up")]),
        }
        times = in_turns(jobs, ROUNDS)
        yield _times("converged `up`, on one core", times["up"], times["two ssh"], f"{BESIDE} there", 1.4)

    def drain(self) -> Iterator[Row]:
        """Taking a server out of use on both nodes, and back: a look and a change on each, one login."""
        jobs: dict[str, Job] = {
            "two ssh": lambda: run(*each_node(lambda node: self.pair.ssh("operator", node, "true"))),
            "drain": lambda: run(self.pair.unlabbed("operator", "drain", "master2")),
            "undrain": lambda: run(self.pair.unlabbed("operator", "undrain", "master2")),
        }
        times = in_turns(jobs, ROUNDS)
        yield _times("`drain` of a server, in the operator's network", times["drain"], times["two ssh"], BESIDE, 2.0)
        yield _times("`undrain`", times["undrain"], times["two ssh"], BESIDE, 2.0)

    def _compared(self, where: str, base: Times, beside: str) -> Iterator[Row]:
        self._give_python()
        for other in self.others:
            yield from _guarded(other.name, lambda other=other: self._rival(other, where, base, beside))

    def _rival(self, other: Rival, where: str, base: Times, beside: str) -> Row:
        times = in_turns({other.name: lambda: other.run(where)}, RIVAL_ROUNDS)
        return _times(f"· {other.name}", times[other.name], base, beside)

    def _give_python(self) -> None:
        """Ansible's modules need it on the nodes. No part of the measured time here; it is in `from_nothing`."""
        for node in NODES if self.others else ():
            self.pair.on(node, f"command -v python3 >/dev/null || ({_apt('python3 python3-apt')})")

    def from_nothing(self) -> Iterator[Row]:
        """From bare nodes to an API that answers through the VIP, beside apt-get alone."""
        jobs: dict[str, Job] = {"apt": self._fresh_apt, "up": lambda: self._fresh(self._up)}
        times = in_turns(jobs, FRESH_ROUNDS, warm_up=0)
        apt = times["apt"]
        later = statistics.median(up - base for up, base in zip(times["up"].seconds, apt.seconds, strict=True))
        name = "bare nodes to the VIP answering"
        yield Row(name, str(times["up"]), f"2 apt-get at once {apt}", f"{later:+.1f} s", "<= +5 s", later <= 5)
        for other in self.others:
            yield from _guarded(other.name, lambda other=other: self._fresh_rival(other, apt))

    def _fresh_rival(self, other: Rival, apt: Times) -> Row:
        def deploy() -> float:
            if other.needs_python:
                self._install("python3 python3-apt")
            return other.run("operator")

        took = self._fresh(deploy)
        return Row(f"· {other.name}", f"{took:.1f} s", f"2 apt-get at once {apt}", f"{took - apt.median:+.1f} s")

    def _renew(self) -> None:
        """Newly installed nodes. Known host keys are those of the new nodes: that the keys changed is not at stake."""
        self.pair.down()
        self.warm_ups.append(self.pair.up())

    def _fresh_apt(self) -> float:
        self._renew()
        return self._install(PACKAGES)

    def _install(self, packages: str) -> float:
        return run(*each_node(lambda node: self.pair.ssh("operator", node, f"sudo sh -c '{_apt(packages)}'")))

    def _up(self) -> float:
        return run(self.pair.lbdeploy("--lab", "up"))

    def _fresh(self, deploy: Callable[[], float]) -> float:
        """Seconds from the start of `deploy`, on new nodes, to the first answer that a client gets through the VIP."""
        self._renew()
        program = str(Path(__file__).with_name("vip.py"))
        address, port = self.pair.vip
        argv = self.pair.inside("client", sys.executable, program, address, str(port), str(LIMIT_SECONDS))
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as client:
            try:
                assert client.stdout
                client.stdout.readline()  # it asks
                began = time.monotonic()
                deploy()
                return _answered(client) - began
            finally:
                client.kill()

    def commands(self) -> Iterator[Row]:
        """How many commands a node is asked to run, as its own sshd counts them."""
        _count_commands(self.pair)
        control = self._commands_of(lambda: run(*each_node(lambda node: self.pair.ssh("operator", node, "true"))))
        if control != 1:
            raise CommandFailed(f"sshd counts {control} commands where there was one")
        count = self._commands_of(self._up)
        yield Row("remote commands of a converged `up`, a node", f"{count}", "", f"{count}", "1", count == 1)
        self._give_python()
        for other in self.others:
            yield from _guarded(other.name, lambda other=other: self._rival_commands(other))

    def _rival_commands(self, other: Rival) -> Row:
        other.run("operator")
        count = self._commands_of(lambda: other.run("operator"))
        return Row(f"· {other.name}", f"{count}", "", f"{count}")

    def _commands_of(self, job: Job) -> int:
        """The most that any node was asked to run, meanwhile."""
        before = [_commands_so_far(self.pair, node) for node in NODES]
        job()
        after = [_commands_so_far(self.pair, node) for node in NODES]
        return max(now - then for now, then in zip(after, before, strict=True))

    def start_up(self) -> Iterator[Row]:
        """What needs no node, beside an interpreter that does nothing."""
        jobs: dict[str, Job] = {
            "pass": lambda: run([sys.executable, "-c", "pass"]),
            "--help": lambda: run([LBDEPLOY, "--help"]),
            "check": lambda: run(self.pair.lbdeploy("check")),
        }
        times = in_turns(jobs, 2 * ROUNDS)
        base = times["pass"]
        yield _times("`lbdeploy --help`", times["--help"], base, "`python -c pass`", 4.0)
        yield _times("`lbdeploy check`", times["check"], base, "`python -c pass`", 5.0)

    def own_cpu(self) -> Iterator[Row]:
        """Processor time of commands, beside an interpreter that does nothing: the least, since load adds to it."""
        jobs: dict[str, Job] = {
            "pass": lambda: processor_seconds([sys.executable, "-c", "pass"]),
            "`lbdeploy --help`": lambda: processor_seconds([LBDEPLOY, "--help"]),
            "`check`, file unchanged": lambda: processor_seconds(self.pair.lbdeploy("check")),
            "`check`, file changed": lambda: processor_seconds(self.pair.lbdeploy("check"), ANEW),
            "a converged `up`": lambda: processor_seconds(self.pair.unlabbed("operator", "up")),
        }
        least = {name: min(times.seconds) for name, times in in_turns(jobs, ROUNDS).items()}
        base = least.pop("pass")
        for (name, own), limit in zip(least.items(), (4, 5, 12, 15), strict=True):
            beside, passed = f"`python -c pass` {1000 * base:.0f} ms", own <= limit * base
            yield Row(
                f"own CPU: {name}", f"{1000 * own:.0f} ms", beside, f"{own / base:.1f} x", f"<= {limit} x", passed
            )

    def many(self) -> Iterator[Row]:
        """Many frontends and servers in one file."""
        yield from (Row(*cells) for cells in many(self.pair))

    def memory(self) -> Iterator[Row]:
        """The largest resident set of a converged `up`."""
        peak = max(peak_megabytes(self.pair.unlabbed("operator", "up")) for _ in range(3))
        yield Row("peak memory of `up`", f"{peak:.0f} MB", "", f"{peak:.0f} MB", "< 90 MB", peak < 90)

    def rebuild(self) -> Iterator[Row]:
        """A reinstalled standby becomes a member again, beside an `up` of it whose new host key is known already."""
        jobs: dict[str, Job] = {
            "up": lambda: self._member_again(known=True, command=["up", "--limit", "lb2"]),
            "rebuild": lambda: self._member_again(known=False, command=["rebuild", "lb2", "--host-key"]),
        }
        times = in_turns(jobs, FRESH_ROUNDS, warm_up=0)
        yield _times("`rebuild lb2`, reinstalled", times["rebuild"], times["up"], "`up --limit lb2`", 1.1)

    def _member_again(self, *, known: bool, command: Sequence[str]) -> float:
        run(self.pair.lbdeploy("lab", "fresh", "lb2"))
        key, stated = self.pair.host_key("lb2")
        if known:
            self.pair.know("lb2", key)
        return run(self.pair.lbdeploy("--lab", *command, *([] if known else [stated])))

    def lab(self) -> Iterator[Row]:
        """`lab up` of the pair, with a warm cache."""
        while len(self.warm_ups) < 3:
            self._renew()
        times = Times(self.warm_ups)
        yield Row("`lab up`, warm cache", str(times), "", str(times), "< 6 s", times.median < 6)

    def fleets(self) -> Iterator[Row]:
        """Many clusters in one run."""
        yield from (Row(*cells) for cells in fleets(self.pair, rivals=bool(self.others)))


def _times(what: str, times: Times, base: Times, beside: str, target: float | None = None) -> Row:
    ratio = times.median / base.median
    passed = None if target is None else ratio <= target
    limit = "" if target is None else f"<= {target:g} x"
    return Row(what, str(times), f"{beside} {base}", f"{ratio:.2f} x", limit, passed)


def _guarded(name: str, measure: Callable[[], Row]) -> Iterator[Row]:
    """The row of another tool, or that it failed: it is not what is under test."""
    try:
        yield measure()
    except CommandFailed as error:
        progress(f"{name}: {error}\n")
        yield Row(f"· {name}", "failed", "", "")


def _apt(packages: str) -> str:
    install = "apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install"
    return f"export DEBIAN_FRONTEND=noninteractive; apt-get -q update && {install} {packages}"


def _answered(client: subprocess.Popen[str]) -> float:
    said, _ = client.communicate(timeout=LIMIT_SECONDS)
    if client.returncode:
        raise CommandFailed("the API did not answer through the VIP")
    return float(said)


def _count_commands(pair: Pair) -> None:
    """Let each node's sshd write down the commands that it starts: VERBOSE is the first level on which it does."""
    for node in NODES:
        pair.on(node, f"echo LogLevel VERBOSE > {VERBOSE_SSHD}; systemctl reload ssh")


def _commands_so_far(pair: Pair, node: str) -> int:
    journal = "journalctl --sync; journalctl -q -b -o cat -t sshd -t sshd-session"
    return int(pair.on(node, f"{journal} | grep -c '^Starting session: command' || :"))


def table(rows: Sequence[Row]) -> str:
    """The rows for a terminal."""
    cells = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def page(rows: Sequence[Row], machine: str) -> str:
    """docs/performance.md."""
    lines = [
        "| " + " | ".join(cells) + " |" for cells in (HEADINGS, ("---",) * len(HEADINGS), *(row.cells for row in rows))
    ]
    return PAGE_TEXT.format(table="\n".join(lines), machine=machine, imports=imports())


def imports() -> str:
    """What commands import that need no node."""
    commands = {"`lbdeploy --help`": ["--help"], "`check`, file unchanged": ["-f", str(TOP / "hosts.toml"), "check"]}
    own = {name: [LBDEPLOY, *argv] for name, argv in commands.items()}
    return table_of_imports({"`python -c pass`": ["-c", "pass"], **own})


PAGE_TEXT = """\
# Performance

Written by `make bench` (tests/bench) in one run; `sudo .venv/bin/python tests/bench/bench.py --write` writes it anew.
Seconds depend on the machine, so the targets are ratios to something that the same machine did in the same minutes.

{table}

{machine}

## What is imported

Milliseconds as `python -X importtime` counts them, of each package without those that it imports itself; the least of
several runs. tests/unit/cli/test_main.py says what commands must not import.

{imports}

## How it is measured

- On a pair of lab nodes: Debian with systemd, sshd and apt, in network namespaces of this machine. Client and nodes
  share its cores, and what a node spends on a login (PAM, systemd's session) is in the times of all tools.
- Jobs that are compared take turns, one of each a round, after a round that does not count. Shown is the median: of 15
  rounds (30 for `--help` and `check`), of 3 for other tools, of 3 for bare nodes (of other tools one run there).
- "2 ssh at once" is `ssh NODE true` on both nodes side by side: the least that anything over SSH can take.
- 50 ms away: from a host whose Ethernet frames are handed on 25 ms late in each direction, so that TCP's handshake and
  acknowledgements take their time, too.
- Bare nodes to the VIP answering: a client in the lab asks https://VIP/readyz every 20 ms, from the start of the tool
  to the first 200. Beside it stands `apt-get update && apt-get install` of the same packages on both bare nodes.
- Rebuilding: lb2 was reinstalled, and has a new host key. `rebuild --host-key` is told of it; `up` finds it in
  known_hosts.
- Remote commands are those that the node's own sshd has logged, at LogLevel VERBOSE.
- Own CPU is the processor time of a command with all that it starts, as user and in the kernel: the least of 15 runs,
  since whatever else the machine does only adds to it. A changed file is one of which nothing was kept.
- One core: lbdeploy and ssh are confined to the first one with taskset, the nodes are not.
- Many settings: hosts.toml as it is, with so many frontends in place of its own; nothing was kept of it either.
- Memory is the kernel's count (`ru_maxrss`); `python -c pass` is run by the interpreter of the same environment.
- Other tools do most of the same job (tests/bench/jobs): the same packages, eight of lbdeploy's ten files with their
  modes, two of its five kernel settings, both services enabled and running. They verify nothing, unlike `up`. Ansible
  has pipelining, gathers no facts, and opens its connections anew in each run; it needs Python on the nodes, which it
  finds there in the converged rows and is given, over ssh, on bare nodes, within the measured time. Mitogen's one
  remote command is an interpreter, through which it sends everything else.
- Fleets: each of 200 nodes has an sshd of its own, all in the two nodes of the pair, on ports of their own; so 100
  times the same daemons, files, VIPs and servers are looked at, over 200 logins. CPU of the nodes is what their control
  groups count; the operator's is that of the command with all it starts. Medians of 3 rounds. Dask has two workers with
  4 threads each; memory is each process's own. pyinfra's dry run looks at the same 200 nodes for the same job, 20 at a
  time.
"""


def describe_machine() -> str:
    """What it ran on, with versions."""
    ssh = subprocess.run(["ssh", "-V"], check=False, capture_output=True, text=True).stderr.split(",")[0]
    libraries = output(sys.executable, "-m", "pip", "--disable-pip-version-check", "list", "--format=freeze").split()
    shown = [
        each.replace("==", " ")
        for each in libraries
        if each.split("==")[0].lower() in ("fabric", "paramiko", "pydantic")
    ]
    load = os.getloadavg()[0]
    parts = (
        f"{os.cpu_count()} cores ({platform.machine()}), Linux {platform.release()}, load {load:.1f} at the end",
        f"Python {platform.python_version()}",
        *shown,
        ssh,
    )
    return "Machine: " + ", ".join(parts) + f". Compared with: {versions()}."


def measure(pair: Pair, rows: Sequence[int], *, quick: bool) -> Iterator[Row]:
    """All measurements that were asked for, by their numbers; last those that begin with new nodes."""
    progress("starting the nodes\n")
    pair.up()
    pair.settle()
    bench = Bench(pair, () if quick else rivals(pair))
    steps = {
        1: bench.converged,
        12: bench.one_core,
        2: bench.distant,
        4: bench.commands,
        5: bench.start_up,
        11: bench.drain,
        10: bench.own_cpu,
        13: bench.many,
        6: bench.memory,
        8: bench.fleets,
        9: bench.rebuild,
    }
    steps |= {3: bench.from_nothing, 7: bench.lab}
    for number, step in steps.items():
        if number in rows:
            progress(f"{step.__name__.replace('_', ' ')} ")
            yield from step()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="without pyinfra and Ansible")
    arguments.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(TOP)}")
    arguments.add_argument("--rows", default="1,2,3,4,5,6,7,8,9,10,11,12,13", help="only these, by number")
    asked = arguments.parse_args()
    if os.geteuid() != 0:
        arguments.error("the lab needs root: run it with sudo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the lab is removed then, too
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", TOP / "lbdeploy"], check=False
    )  # as in an installed wheel
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lbdeploy-bench-") as folder:
        pair = Pair(Path(folder))
        try:
            for row in measure(pair, [int(each) for each in asked.rows.split(",")], quick=asked.quick):
                rows.append(row)  # what was measured before a failure is shown, too
        except CommandFailed:
            print(table(rows))
            raise
        finally:
            pair.down()
    print(table(rows))
    machine = describe_machine()
    print(machine)
    if asked.write:
        _, mark, failover = PAGE.read_text().partition("\n## Failover\n")  # failover.py writes that
        PAGE.write_text(page(rows, machine) + mark + failover)


if __name__ == "__main__":
    try:
        main()
    except CommandFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
