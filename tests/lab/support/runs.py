"""Runs of lbdeploy that something happens to: begun, followed, and what the nodes look like afterwards."""

from __future__ import annotations

import os
import subprocess

from harness import LBDEPLOY, RELOADED, Lab


def begin(lab: Lab, *args: str, **env: str) -> subprocess.Popen[str]:
    """Start lbdeploy in the lab, and go on."""
    argv = [LBDEPLOY, "-f", str(lab.file), "--lab", *args]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


def until(process: subprocess.Popen[str], text: str) -> str:
    """Read the progress of a run until it says `text`; the line in which it does."""
    assert process.stderr
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"it never said {text!r}")


LOOK = (
    "stat -c '%n %a %U' /etc/haproxy/* /etc/keepalived/*; cat /etc/haproxy/haproxy.cfg /etc/keepalived/*; "
    f"{RELOADED}systemctl show -p ActiveState,UnitFileState haproxy keepalived"
)


def looks(lab: Lab) -> list[str]:
    """What must be as before, after a run that failed."""
    return [lab.on(node, LOOK) for node in ("lb1", "lb2")]


def active(lab: Lab, node: str) -> bool:
    """Whether a change is under way on the node."""
    return lab.on(node, "systemctl is-active lbdeploy", check=False) in ("active", "activating", "deactivating")
