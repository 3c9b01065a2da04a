"""What the nodes are like, beside what hosts.toml wants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import observe, plans, stopped

from lbdeploy.config.model import Cluster
from lbdeploy.health.nodes import as_desired
from lbdeploy.health.state import ClusterState


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
