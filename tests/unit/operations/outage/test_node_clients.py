"""Probes that run on another node."""

from __future__ import annotations

import subprocess

import pytest
from drills import VIP

from lbdeploy.config.model import Cluster
from lbdeploy.operations.outage import node_clients
from lbdeploy.operations.outage.clocks import Clock


def test_the_other_nodes_loop_is_bash_and_ends(seed: Cluster) -> None:
    script = node_clients.script([(VIP, 6443)], 12.4)
    assert "timeout -k 1 13 " in script
    subprocess.run(["bash", "-n"], input=node_clients._LOOP, text=True, check=True)


def test_probes_of_another_node_are_told_by_the_operators_clock() -> None:
    """Answers that came late, or never, are failures; probes of the last moment tell nothing."""
    asked = [f"ask {VIP} {100 + n * 0.02:.6f}" for n in range(100)]
    answered = [f"good {VIP} {100 + n * 0.02:.6f} {100 + n * 0.02 + 0.001:.6f}" for n in range(100) if n != 5]
    late = [f"good {VIP} 100.100000 101.2", "a word from a shell", "ask"]
    found = node_clients.read([*asked, *answered, *late], [(VIP, 6443)], Clock(ahead=50.0))
    assert [probe.start for probe in found if not probe.good] == pytest.approx([50.1])
    assert max(probe.start for probe in found) == pytest.approx(51.08, abs=0.02)
