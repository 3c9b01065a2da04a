"""Running commands and taking their time: side by side, in turns, never longer than a limit."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LIMIT_SECONDS = 180.0  # for any single command
Job = Callable[[], float]


class CommandFailed(Exception):  # noqa: N818  it tells what happened
    """A command that was to be measured ended with an error; the message has the end of what it said."""


@dataclass
class Times:
    """What the runs of one job took, in seconds."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        digits = 3 if self.median < 1 else 2
        return f"{self.median:.{digits}f} s"


def run(*argvs: Sequence[str], env: dict[str, str] | None = None) -> float:
    """Run these commands at once; the seconds until all have ended. Raises CommandFailed."""
    began = time.perf_counter()
    running = [_start(argv, env) for argv in argvs]
    try:
        outputs = [process.communicate(timeout=LIMIT_SECONDS)[0] for process in running]
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(map(str, error.cmd))}: no end after {LIMIT_SECONDS:.0f} s") from None
    finally:
        for process in running:
            process.kill()
    took = time.perf_counter() - began
    for argv, process, output in zip(argvs, running, outputs, strict=True):
        if process.returncode:
            raise CommandFailed(f"{' '.join(argv)}: exit {process.returncode}\n{output[-2000:]}")
    return took


def output(*argv: str) -> str:
    """What a command prints on standard output. Raises CommandFailed."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    if done.returncode:
        raise CommandFailed(f"{' '.join(argv)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def in_turns(jobs: dict[str, Job], rounds: int, *, warm_up: int = 1) -> dict[str, Times]:
    """Each job once a round, so that what else the machine does meets all of them; the first rounds do not count."""
    times = {name: Times() for name in jobs}
    for number in range(rounds + warm_up):
        for name, job in jobs.items():
            took = job()
            if number >= warm_up:
                times[name].seconds.append(took)
        progress(".")
    progress("\n")
    return times


def peak_megabytes(argv: Sequence[str], env: dict[str, str] | None = None) -> float:
    """The largest resident set of a command, as the kernel counts it. Raises CommandFailed."""
    return _usage(argv, env).ru_maxrss / 1024


def processor_seconds(argv: Sequence[str], env: dict[str, str] | None = None) -> float:
    """The processor time of a command and of what it starts, as user and in the kernel. Raises CommandFailed."""
    usage = _usage(argv, env)
    return usage.ru_utime + usage.ru_stime


def _usage(argv: Sequence[str], env: dict[str, str] | None = None) -> resource.struct_rusage:
    process = _start(argv, env)
    assert process.stdout
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandFailed(f"{' '.join(argv)}: exit {process.returncode}\n{said[-2000:]}")
    return usage


def progress(text: str) -> None:
    """A sign of life on standard error."""
    print(text, end="", file=sys.stderr, flush=True)


def _start(argv: Sequence[str], env: dict[str, str] | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(env or {})},
    )
