"""The difference between a node's clock and the operator's."""

from __future__ import annotations

import pytest

from lbdeploy.operations.outage.clocks import Clock


@pytest.mark.parametrize(("node", "ahead"), [(1000.03, 0.0), (1005.05, 5.0), (995.05, -5.0)])
def test_a_clock_is_not_known_better_than_half_a_round_trip(node: float, ahead: float) -> None:
    assert Clock.compared(1000.0, node, 1000.1).ahead == pytest.approx(ahead)
