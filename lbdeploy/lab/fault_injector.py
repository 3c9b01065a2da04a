"""Fault injection at the power switches and cables of the lab, for drills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from lbdeploy.config.model import Cluster, Node
from lbdeploy.events import silent
from lbdeploy.lab import commands as lab


class InLab:
    """Breaks one thing on one node from outside of it, and undoes it. `fault`: `power`, or else its cables."""

    def __init__(self, cluster: Cluster, fault: str, node: Node) -> None:
        self._cluster = cluster
        self._fault = fault
        self._node = node
        self._guard: subprocess.Popen[bytes] | None = None

    def arm(self, seconds: float) -> None:
        """Start a separate process that undoes it if this one is killed: a node without power can't."""
        program = "import sys, time; time.sleep(float(sys.argv.pop(1))); from lbdeploy.cli.main import main; main()"
        undo = ["lab", "start" if self._fault == "power" else "join", self._node.name]
        argv = [sys.executable, "-c", program, str(seconds + 6), "-f", str(self._cluster.path), *undo]
        null = subprocess.DEVNULL
        self._guard = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True)

    def break_it(self) -> float:
        at = time.time()
        if self._fault == "power":
            lab.stop(self._cluster, self._node.name, silent)
        else:
            lab.cut(self._cluster, self._node.name)
        return at

    def undo(self, *, disarm: bool = True) -> None:
        if self._fault == "power":
            lab.start(self._cluster, self._node.name, silent)
        else:
            lab.join(self._cluster, self._node.name)
        if self._guard and disarm:
            os.kill(self._guard.pid, signal.SIGTERM)
            self._guard.wait()
