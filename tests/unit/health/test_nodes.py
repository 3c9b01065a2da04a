"""What the nodes are like, beside what hosts.toml wants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import observe, plans, stopped

from lbdeploy.config.model import Cluster
from lbdeploy.health.nodes import as_desired
from lbdeploy.health.state import ClusterState
from lbdeploy.node.resources.last_run import JournalState


@pytest.mark.parametrize(("active", "soon"), [("activating", True), ("inactive", False), ("failed", False)])
def test_a_daemon_that_systemd_is_starting_again_is_waited_for(seed: Cluster, active: str, soon: bool) -> None:
    """After a crash it is there again within a second: nothing is given up for that."""
    seen = observe(seed, seed.preferred, states={"service keepalived": replace(stopped(), active=active)})
    found = [
        each
        for each in as_desired(ClusterState(seed, [seen], plans(seed, seen)))
        if each.subject == "keepalived" and not each.ok
    ]
    assert [(each.check, each.settling) for each in found] == [("service", soon)]


def test_a_change_that_may_still_be_undone_is_a_warning(seed: Cluster) -> None:
    """What is found besides may be gone in a moment. Once it is kept, or has ended, there is nothing to say."""
    waiting = JournalState("20260101T000000.000Z", "ann@laptop", "reload haproxy", ended=False, active=True)
    for state, severities in ((waiting, {"warning"}), (replace(waiting, kept=True), {"ok"})):
        seen = observe(seed, seed.preferred, states={"service lbdeploy": state})
        found = [f for f in as_desired(ClusterState(seed, [seen], plans(seed, seen))) if f.subject == "lbdeploy"]
        assert {f.severity for f in found} == severities
        assert all(f.ok or (f.detail.endswith("ann@laptop") and not f.settling) for f in found)
