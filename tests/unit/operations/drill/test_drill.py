"""Drills, without nodes: what Ctrl-C, a lost connection and a failure leave behind, and what is kept of the results."""

from __future__ import annotations

from lbdeploy.config.model import Cluster
from lbdeploy.events import Event, RemoteCommand
from lbdeploy.operations.drill import faults
from lbdeploy.operations.drill.drill import Drill


def test_what_goes_over_the_wire_is_for_the_log(seed: Cluster) -> None:
    """Also of the connections whose failures are part of the drill."""
    told: list[Event] = []
    wire = RemoteCommand("lb1", "sh", "true", "", 0.1, 0)
    course = Drill(seed, seed.ssh, told.append, "test")
    course._wire(wire)
    course._wire(faults.Kind)  # type: ignore[arg-type]
    assert told == [wire]
