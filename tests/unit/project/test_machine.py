"""What a failed lab test tells of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SUPPORT = Path(__file__).parents[2] / "lab" / "support"
PROGRAM = """
import sys, time
from machine import Stalls
stalls = Stalls()
stalls.start()
began = time.time()
print("ready", flush=True)
sys.stdin.readline()
print(stalls.since(began))
"""


def test_a_process_that_stood_still_is_told() -> None:
    """Stopped for more than half a second: when, and for how long."""
    argv = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(argv, cwd=SUPPORT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGCONT)
    time.sleep(0.3)
    out, _ = process.communicate("\n", timeout=20)
    load, *stalls = out.splitlines()
    assert load.startswith("load ")
    assert any(" s late, " in each for each in stalls), out
