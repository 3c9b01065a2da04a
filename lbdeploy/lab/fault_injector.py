"""Fault injection at the power switches and cables of the lab, for drills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lbdeploy.config.model import Cluster
from lbdeploy.events import silent
from lbdeploy.lab import commands as lab

LATER = 6.0  # seconds after which what is still broken is undone by itself


def break_it(cluster: Cluster, fault: str, name: str) -> None:
    """Cuts a node's power, or its cables; or those of a server, so that it is silent; or lets it drain."""
    if fault == "power":
        lab.stop(cluster, name, silent)
    elif fault == "drain":
        lab.drain(cluster, name)
    else:
        lab.cut(cluster, name)


def undo(cluster: Cluster, fault: str, name: str) -> None:
    """Undoes that."""
    if fault == "power":
        lab.start(cluster, name, silent)
    elif fault == "drain":
        lab.undrain(cluster, name)
    else:
        lab.join(cluster, name)


def undo_later(seconds: str, path: str, fault: str, name: str) -> None:
    """What a process of its own does."""
    from lbdeploy.config import reader

    time.sleep(float(seconds))
    undo(reader.load(Path(path)), fault, name)


class InLab:
    """Breaks one thing on one machine from outside of it, and undoes it. `fault` is the kind of drill."""

    def __init__(self, cluster: Cluster, fault: str, name: str) -> None:
        self._cluster = cluster
        self._fault = fault
        self._name = name
        self._guard: subprocess.Popen[bytes] | None = None

    def break_it(self, seconds: float) -> float:
        """A separate process undoes it if this one is killed: a node without power can't."""
        program = "import sys; from lbdeploy.lab.fault_injector import undo_later; undo_later(*sys.argv[1:])"
        given = [str(seconds + LATER), str(self._cluster.path), self._fault, self._name]
        null = subprocess.DEVNULL
        argv = [sys.executable, "-c", program, *given]
        self._guard = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True)
        at = time.time()
        break_it(self._cluster, self._fault, self._name)
        return at

    def undo(self, *, disarm: bool = True) -> None:
        undo(self._cluster, self._fault, self._name)
        if self._guard and disarm:
            os.kill(self._guard.pid, signal.SIGTERM)
            self._guard.wait()
