"""The report of `down`."""

from __future__ import annotations

from removals import RUNS, file_state, known, survey

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
    assert "': as before lbdeploy'" in told


def test_what_is_not_as_before_is_not_said_to_be(seed: Cluster) -> None:
    """A keepalived that would take VIPs which other nodes serve stays stopped."""
    conf = "vrrp_instance OLD {\n    virtual_ipaddress {\n        192.168.0.10/24\n    }\n}\n"
    states = {"original /etc/keepalived/keepalived.conf": file_state(was=conf), "original keepalived": (RUNS, RUNS)}
    planned = plan_removal(seed, survey(seed, known(seed, "lb1", **states), beside=(known(seed, "lb2"),)))
    told = str(list(outcome(Removed(planned, done=("lb1",)), purge=False, limited=True)))
    assert ": as before lbdeploy, but for keepalived on lb1" in told
    assert "stays stopped and disabled: it may have VIPs that others serve" in told
