"""The steps of a plan, phase by phase."""

from __future__ import annotations

import pytest
from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.node.drift import NodePlan, diff
from lbdeploy.node.resources import File, Sysctl
from lbdeploy.node.resources.base import Phase, Resource
from lbdeploy.node.resources.file import FileState
from lbdeploy.rollout.steps import Steps

APT, CONF = File("/etc/apt/apt.conf.d/x", "a\n"), File("/etc/x.conf", "b\n")
SETTING = Sysctl("net.a", "1")


def plan(seed: Cluster, **states: object) -> NodePlan:
    """Two missing files, the first of them apt's, and a setting that is as wanted; or in these states."""
    wanted: list[Resource[object]] = [APT, CONF, SETTING]  # type: ignore[list-item]
    found = dict(zip((each.id for each in wanted), (FileState("missing"), FileState("missing"), "1"), strict=True))
    return diff(wanted, observe(seed, seed.preferred, states=found | states))


def test_what_is_early_is_told_from_the_rest(seed: Cluster) -> None:
    """And both together are everything."""
    early, late = Steps(plan(seed), early=True), Steps(plan(seed), early=False)
    assert (early.paths, late.paths, Steps(plan(seed)).paths) == ([APT.path], [CONF.path], [APT.path, CONF.path])
    assert early.take(Phase.CREATE) == [f"swap {APT.path}"]
    assert late.take(Phase.CREATE) == [f"swap {CONF.path}"]


def test_what_does_not_change_has_no_steps_but_is_kept(seed: Cluster) -> None:
    """A rollback restores all files of a node."""
    same = FileState("file", "644", "root:root", 1.0, CONF.content)
    late = Steps(plan(seed, **{CONF.id: same, SETTING.id: "0"}), early=False)
    assert (late.paths, late.change_files) == ([CONF.path], False)
    assert not late.has(Phase.STAGE)
    assert "run sysctl -q -w net.a=1" in late.take(Phase.SET)[0]
    assert late.take(Phase.SET) == []


def test_steps_that_a_script_has_no_place_for_are_not_lost(seed: Cluster) -> None:
    """Whoever writes a kind of resource is told, instead of a plan that is never carried out."""
    steps = Steps(plan(seed))
    steps.take(Phase.STAGE)
    with pytest.raises(LookupError, match="no place for: CREATE"):
        steps.require_all_taken()
    steps.take(Phase.CREATE)
    steps.require_all_taken()
