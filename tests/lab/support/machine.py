"""How busy the machine is that the tests run on: a test that fails may have met a machine that stood still."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

PERIOD = 0.1  # s
WORTH_TELLING = 0.5  # s; what two busy cores do anyway is shorter


@dataclass(frozen=True, slots=True)
class Stall:
    """A thread that was to wake at `due` (s, monotonic) was `late`; the hypervisor took so much (s) of that time."""

    due: float
    late: float
    stolen: float


class Stalls:
    """Notes when this process had to wait for the machine.

    A thread wakes each 100 ms. What it is late by was the kernel's doing, or the hypervisor's: whatever ran here then,
    the nodes' daemons among them, was as late.
    """

    def __init__(self) -> None:
        self._found: deque[Stall] = deque(maxlen=100)

    def start(self) -> None:
        """Watch from now on, for as long as the process runs."""
        threading.Thread(target=self._watch, daemon=True).start()

    def since(self, moment: float) -> str:
        """What is to be said of the time since then (s, Unix): the load now, and each stall, with its time."""
        began = time.monotonic() - (time.time() - moment)
        load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
        stalls = [each for each in self._found if each.due >= began]
        told = [f"{each.due - began:.1f} s: {each.late:.1f} s late, {each.stolen:.1f} s stolen" for each in stalls]
        return "\n".join([f"load {load}", *told])

    def _watch(self) -> None:
        while True:
            due, before = time.monotonic() + PERIOD, stolen()
            time.sleep(PERIOD)
            late = time.monotonic() - due
            if late > WORTH_TELLING:
                self._found.append(Stall(due, late, stolen() - before))


def stolen() -> float:
    """Seconds that the hypervisor gave to others while this machine wanted to run (/proc/stat in proc(5): 1/100 s)."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / 100
