"""The report of `down`."""

from __future__ import annotations

from removals import known, survey

from lbdeploy.cli.report.down import outcome
from lbdeploy.config.model import Cluster
from lbdeploy.operations.down import Removed
from lbdeploy.operations.down_plan import plan_removal


def test_whoever_took_one_node_away_is_not_told_to_take_all(seed: Cluster) -> None:
    """What is named as the next step has the same --limit."""
    lb1, lb2 = known(seed, "lb1"), known(seed, "lb2")
    removed = Removed(plan_removal(seed, survey(seed, lb1, beside=(lb2,))), done=("lb1",))
    told = str(list(outcome(removed, purge=False, limited=True)))
    assert "lbdeploy down --limit lb1 --purge" in told
    assert "take lb1 out of hosts.toml" in told
