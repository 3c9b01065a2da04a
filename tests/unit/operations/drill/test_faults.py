"""The faults that drills cause, as a node is sent them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from builders import SEED, cluster

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster
from lbdeploy.errors import UsageError
from lbdeploy.operations.drill import faults
from lbdeploy.operations.drill.faults import NAMES, ON_SERVERS, Kind, Name, kind, of_server


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_to_a_node_is_shell(seed: Cluster, name: Name) -> None:
    what = of_server(name) if name in ON_SERVERS else kind(name, seed, seed.preferred)
    for script in (faults.break_it(what, 12.5), faults.undo(what), what.repairing, what.breaking):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_what_shows_nothing_is_refused(seed: Cluster, tmp_path: Path) -> None:
    """A server that drains where nobody asks whether it is ready; a way to servers that is also the one to a node."""
    with pytest.raises(UsageError, match="a server that drains is not noticed"):
        faults.refuse_pointless("drain", seed)
    for name in NAMES[:-1]:
        faults.refuse_pointless(name, seed)
    both = cluster(tmp_path, SEED.read_text().replace('"192.168.1.22"', '"192.168.1.12"'))
    with pytest.raises(UsageError, match="master2 is on lb2: without a way there, nodes would not hear each other"):
        faults.refuse_pointless("path", both)
    with pytest.raises(UsageError, match="master2 runs on lb2, and has no power and no cable of its own") as caught:
        faults.refuse_pointless("server", both, "master2")
    assert caught.value.fix == "lbdeploy --lab drill power --node lb2"
    faults.refuse_pointless("server", both)  # the first one is elsewhere


class Shell:
    """Runs scripts as a node would; of systemd, the calls are written down, and a delayed script is run at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, script: str, *, armed: bool = True) -> list[str]:
        """What the script does, call by call; where not `armed`, systemd sets no timer for a repair."""
        calls = self.folder / "calls"
        calls.write_text("")
        (self.folder / "systemctl").write_text(f'#!/bin/sh\necho "$*" >> {calls}\n[ "$1" != start ]\n')
        (self.folder / "systemd-run").write_text(
            f'#!/bin/sh\ncase $* in\n*=lbdeploy-drill-break*) shift 6; /bin/sh -c "$2" ;;\n'
            f"*) echo arm $4 >> {calls}; {'true' if armed else 'exit 1'} ;;\nesac\n"
        )
        for name in ("systemctl", "systemd-run"):
            (self.folder / name).chmod(0o755)
        path = f"{self.folder}:/usr/bin:/bin"
        subprocess.run(["sh", "-s"], input=script, text=True, check=False, env={"PATH": path}, capture_output=True)
        return [each for each in calls.read_text().splitlines() if not each.startswith("reset-failed")]


@pytest.mark.parametrize("cuts_off", [True, False])
def test_nothing_is_broken_before_its_repair_is_armed_at_that_very_moment(tmp_path: Path, cuts_off: bool) -> None:
    """However late the script comes, nothing could have run the repair before; without one, nothing is broken."""
    breaking = Raw("for each in once; do systemctl break; done; for each in twice; do systemctl break; done")
    what = Kind("link", "", breaking, Raw("systemctl repair"), cuts_off=cuts_off)
    shell = Shell(tmp_path)
    assert shell.run(faults.break_it(what, 8)) == ["arm --on-active=8.0", "break", "break"]
    assert shell.run(faults.break_it(what, 8), armed=False) == ["arm --on-active=8.0"]


@pytest.mark.parametrize("cuts_off", [True, False])
def test_what_is_sent_is_read_as_a_whole_before_it_begins(tmp_path: Path, cuts_off: bool) -> None:
    """The laptop may fall asleep while it sends: the rest would come after the repair."""
    what = Kind("link", "", Raw("systemctl break"), Raw("systemctl repair"), cuts_off=cuts_off)
    assert Shell(tmp_path).run(faults.break_it(what, 8)[:-2]) == []


def test_an_undoing_disarms_unless_it_must_not(seed: Cluster, tmp_path: Path) -> None:
    """Nor where it fails: the node's own repair is the second one then."""
    what, failing = (kind(name, seed, seed.preferred) for name in ("hang", "haproxy"))
    shell = Shell(tmp_path)
    assert "stop lbdeploy-drill.timer" in shell.run(faults.undo(what))
    assert "stop lbdeploy-drill.timer" not in shell.run(faults.undo(what, disarm=False))
    assert shell.run(faults.undo(failing)) == ["start haproxy"]
