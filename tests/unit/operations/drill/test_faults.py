"""The faults that drills cause, as a node is sent them."""

from __future__ import annotations

import subprocess

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.operations.drill import faults
from lbdeploy.operations.drill.faults import NAMES, Name, kind


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_to_a_node_is_shell(seed: Cluster, name: Name) -> None:
    what = kind(name, seed.preferred, seed.vrrp.network)
    for script in (faults.arm(what, 12.5), faults.break_it(what), faults.undo(what), what.repairing, what.breaking):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_an_undoing_disarms_unless_it_must_not(seed: Cluster) -> None:
    what = kind("hang", seed.preferred, seed.vrrp.network)
    assert "systemctl stop lbdeploy-drill.timer" in faults.undo(what)
    assert "lbdeploy-drill" not in faults.undo(what, disarm=False)
