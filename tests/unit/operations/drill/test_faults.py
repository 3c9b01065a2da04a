"""The faults that drills cause, as a node is sent them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from builders import SEED, cluster

from lbdeploy.config.model import Cluster
from lbdeploy.errors import UsageError
from lbdeploy.operations.drill import faults
from lbdeploy.operations.drill.faults import NAMES, ON_SERVERS, Name, kind, of_server


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_to_a_node_is_shell(seed: Cluster, name: Name) -> None:
    what = of_server(name) if name in ON_SERVERS else kind(name, seed, seed.preferred)
    for script in (faults.arm(what, 12.5), faults.break_it(what), faults.undo(what), what.repairing, what.breaking):
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


def test_an_undoing_disarms_unless_it_must_not(seed: Cluster) -> None:
    what = kind("hang", seed, seed.preferred)
    assert "systemctl stop lbdeploy-drill.timer" in faults.undo(what)
    assert "lbdeploy-drill" not in faults.undo(what, disarm=False)
