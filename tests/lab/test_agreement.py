"""Nodes agree on a change, and what is reported is so, whatever dies at whatever instant. See decision 67."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from harness import VIPS, Lab, sound, wait_for
from runs import active, begin, looks, until


@pytest.fixture
def pair(session_lab: Lab) -> Iterator[Lab]:
    assert session_lab.run("up", "--lock-wait", "60").code == 0
    wait_for(lambda: session_lab.holder(VIPS[0]) == ["lb1"], 20)
    yield session_lab
    session_lab.file.write_text(session_lab.original)
    shutil.rmtree(session_lab.file.parent / "templates", ignore_errors=True)
    session_lab.lab("up")


@pytest.mark.usefixtures("unnoticed")
@pytest.mark.parametrize("moment", ["lb2: reload keepalived", "lb2 changed"])
def test_a_unit_that_is_killed_is_undone_and_said_to_be_so(pair: Lab, moment: str) -> None:
    """SIGKILL of all of a change's processes on the node: systemd has it undone; exit 7, since it says so."""
    before = looks(pair)
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    process = begin(pair, "--json", "up")
    until(process, moment)
    pair.on("lb2", "systemctl kill -s KILL lbdeploy")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 7, out
    assert "as before" in json.loads(out)["error"]["state"]
    wait_for(lambda: not active(pair, "lb2"), 5)
    assert looks(pair) == before
    assert pair.on("lb2", "tail -n 2 /var/lib/lbdeploy/journal").splitlines() == ["restored", "exit 1"]
    assert pair.on("lb2", "ls /etc/systemd/system | grep lbdeploy; ls /run/lbdeploy | grep -v lock", check=False) == ""


def test_down_whose_unit_is_killed_puts_back_what_it_took_away(pair: Lab) -> None:
    """SIGKILL on a node that is being left: its files and services are back, and `down` says what is done where."""
    before = looks(pair)[1]
    process = begin(pair, "--json", "down", "--yes")
    until(process, "lb2: stop haproxy")
    pair.on("lb2", "systemctl kill -s KILL lbdeploy")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 7, out
    wait_for(lambda: not active(pair, "lb2"), 5)
    assert looks(pair)[1] == before
    sound(pair)
