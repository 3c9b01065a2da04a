"""`down`: what each node gets back, in which order nodes go, and which must not."""

from __future__ import annotations

import pytest
from builders import stopped
from removals import OFF, RUNS, file_state, known, survey, untouched

from lbdeploy.cli.report.down import warnings
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LastNodeError, LbdeployError, RemoteError
from lbdeploy.node.resources.original import Content, OriginalFile, OriginalFileState, Unit
from lbdeploy.node.resources.purge import PurgeState
from lbdeploy.operations.down_plan import BESIDE, RemovalPlan, plan_removal, purges, rivals, successors

CONF = OriginalFile("/etc/haproxy/haproxy.cfg")


def test_the_holder_goes_last_and_packages_after_all(seed: Cluster) -> None:
    """Whatever the priorities say; what can't be undone comes when nothing runs any more."""
    gone = PurgeState(("haproxy",), kept=True)
    seen = (known(seed, "lb1", purge=gone), known(seed, "lb2", holds=True, purge=gone))
    planned = plan_removal(seed, survey(seed, *seen))
    assert [stage.names for stage in planned.plan.stages] == [("lb1",), ("lb2",), ("lb1", "lb2")]
    assert [purges(stage) for stage in planned.plan.stages] == [False, False, True]
    assert planned.vips == ("192.168.0.10", "192.168.1.10")
    assert planned.plan.stages[1].cost == "the VIPs are gone"


def test_vips_that_nodes_had_before_lbdeploy_come_back(seed: Cluster) -> None:
    """Where their own keepalived ran; the others are gone for good."""
    conf = "vrrp_instance OLD {\n    virtual_ipaddress {\n        192.168.0.10/24 dev ens33\n        ADDED\n    }\n}\n"

    def planned(more: str, was: Unit) -> RemovalPlan:
        states = {
            "original /etc/keepalived/keepalived.conf": file_state(was=conf.replace("ADDED", more)),
            "original keepalived": (RUNS, was),
        }
        nodes = (known(seed, "lb1", holds=True, **states), known(seed, "lb2", **states))
        return plan_removal(seed, survey(seed, *nodes))

    some, every, none = planned("", RUNS), planned("192.168.1.10", RUNS), planned("192.168.1.10", OFF)
    assert [each.back for each in (some, every, none)] == [("192.168.0.10",), ("192.168.0.10", "192.168.1.10"), ()]
    assert [each.plan.stages[0].cost for each in (some, every, none)] == [BESIDE, BESIDE, "clients notice nothing"]
    assert [each.plan.stages[1].cost for each in (some, every, none)] == [
        "the VIPs are gone",
        "the VIPs are gone, until the keepalived from before lbdeploy has them again",
        "the VIPs are gone",
    ]
    assert [text for line in warnings(some) for text in line if "gone" in text] == [
        "192.168.1.10 will be gone: nothing will answer there any more",
        "192.168.0.10 will be gone until the keepalived from before lbdeploy has them again",
    ]


OLD = "vrrp_instance OLD {\n    virtual_ipaddress {\n        192.168.0.10/24 dev ens33\n    }\n}\n"
KEEPALIVED = "original /etc/keepalived/keepalived.conf"
LINK = OriginalFileState("known", Content("file", "644,root:root", "ours"), "/kept", Content("link", "-", "/srv/x"))


@pytest.mark.parametrize("conf", [file_state(was="include /etc/keepalived/vips.conf\n"), LINK])
def test_where_the_old_file_does_not_tell_its_vips_they_may_all_come_back(
    seed: Cluster, conf: OriginalFileState
) -> None:
    """What it includes, or what a link led to, may have any."""
    states = {KEEPALIVED: conf, "original keepalived": (RUNS, RUNS)}
    planned = plan_removal(seed, survey(seed, known(seed, "lb1", holds=True, **states), known(seed, "lb2", **states)))
    assert (planned.back, planned.perhaps) == ((), planned.vips)
    assert [stage.cost for stage in planned.plan.stages] == [BESIDE, "the VIPs are gone"]
    [gone] = [text for line in warnings(planned) for text in line if "gone" in text]
    assert "will be gone, unless the keepalived from before lbdeploy has them: its keepalived.conf is a link" in gone


@pytest.mark.parametrize(
    ("conf", "was", "rests"),
    [
        (file_state(was=OLD), RUNS, True),
        (file_state(was=OLD), Unit("loaded", "inactive", "enabled"), True),
        (LINK, RUNS, True),
        (file_state(was=OLD), OFF, False),
        (file_state(was=OLD.replace("192.168.0.10", "192.168.0.77")), RUNS, False),
        (file_state("none", was=OLD), RUNS, False),
    ],
)
@pytest.mark.parametrize("holds", [True, False])
def test_a_keepalived_whose_vips_other_nodes_serve_is_a_rival(
    seed: Cluster, conf: OriginalFileState, was: Unit, rests: bool, holds: bool
) -> None:
    """Of a node that goes alone: it may not hear the others. Where all go, it is to serve again."""
    states = {KEEPALIVED: conf, "original keepalived": (RUNS, was)}
    lb1, lb2 = known(seed, "lb1", holds=holds, **states), known(seed, "lb2", holds=not holds)
    alone = survey(seed, lb1, beside=(lb2,))
    assert rivals(seed, alone) == (("lb1",) if rests else ())
    planned = plan_removal(seed, alone)
    assert BESIDE not in [stage.cost for stage in planned.plan.stages]
    assert any("stays stopped and disabled" in str(line) for line in warnings(planned)) is rests
    assert rivals(seed, survey(seed, lb1, lb2)) == ()


def test_a_holder_that_goes_alone_hands_over(seed: Cluster) -> None:
    """No VIP is gone then; one whose keepalived.conf can't hand over says what that costs."""
    lb1, lb2 = known(seed, "lb1", holds=True), known(seed, "lb2")
    planned = plan_removal(seed, survey(seed, lb1, beside=(lb2,)))
    assert planned.vips == ()
    assert planned.plan.stages[0].cost.startswith("the VIPs move to another node first")
    conf = {"original /etc/keepalived/keepalived.conf": file_state(now="vrrp_instance a {\n}\n")}
    [stage] = plan_removal(seed, survey(seed, known(seed, "lb1", holds=True, **conf), beside=(lb2,))).plan.stages
    assert "connections fail for about a second" in stage.cost


def test_the_last_node_that_could_hold_the_vips_is_not_taken_alone(seed: Cluster) -> None:
    """But one that could not hold them itself may go, and so may all of them at once."""
    lb1, lb2 = known(seed, "lb1", holds=True), known(seed, "lb2", **{"service haproxy": stopped()})
    with pytest.raises(LastNodeError, match="lb2 cannot take over: haproxy is not running there"):
        plan_removal(seed, survey(seed, lb1, beside=(lb2,)))
    with pytest.raises(LastNodeError, match="lb2 cannot take over: it can't be reached"):
        plan_removal(seed, survey(seed, lb1))
    assert plan_removal(seed, survey(seed, lb2, beside=(lb1,))).plan.changes
    assert plan_removal(seed, survey(seed, lb1, lb2)).plan.changes
    assert plan_removal(seed, survey(seed, lb1, lb2=LbdeployError("off"))).unreached == ("lb2",)


def test_no_node_is_waited_for_that_can_take_no_vip(seed: Cluster) -> None:
    """One that an earlier `down` has taken out is still seen; the holder that boots meanwhile has no successor."""
    lb1, lb2 = known(seed, "lb1", holds=True), known(seed, "lb2")
    assert successors(seed, survey(seed, lb1, lb2), {"lb1"}) == ["lb2"]
    assert successors(seed, survey(seed, lb1, beside=(lb2,)), {"lb1"}) == ["lb2"]
    assert successors(seed, survey(seed, lb1, lb2), {"lb1", "lb2"}) == []
    out = known(seed, "lb2", **{"service keepalived": stopped()})
    assert successors(seed, survey(seed, lb1, out), {"lb1"}) == []
    assert successors(seed, survey(seed, lb1, untouched(seed, "lb2")), {"lb1"}) == []
    assert successors(seed, survey(seed, known(seed, "lb1"), lb2), {"lb1"}) == []


def test_where_lbdeploy_is_not_there_is_nothing_to_do(seed: Cluster) -> None:
    """Not even a reason to refuse."""
    assert plan_removal(seed, survey(seed, untouched(seed, "lb1"))).plan.changes == ()


def test_what_is_not_known_and_what_is_needed_is_said(seed: Cluster) -> None:
    """Nodes of an earlier lbdeploy; and packages of others that would be lost."""
    lb2 = known(seed, "lb2", **{f"original {CONF.path}": file_state("unknown")})
    assert plan_removal(seed, survey(seed, known(seed, "lb1"), lb2)).unknown == ("lb2",)
    needed = known(seed, "lb2", purge=PurgeState(("haproxy",), ("hatop",)))
    with pytest.raises(RemoteError, match="hatop would be removed along"):
        plan_removal(seed, survey(seed, known(seed, "lb1"), needed))
