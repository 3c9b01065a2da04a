"""The difference between what nodes have and what they should have, and the order in which they are changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import BIG, LONG_AGO, cluster, observe, plans, running, stopped

from lbdeploy.desired import CHECK_HAPROXY, HAPROXY_CFG, KEEPALIVED_CONF, KEEPALIVED_UNIT, desired
from lbdeploy.model import Cluster
from lbdeploy.plan import NodePlan, Plan, batches, diff
from lbdeploy.resources.file import FileState
from lbdeploy.resources.package import PackageState
from lbdeploy.resources.service import ServiceState

DRIFTED = FileState("file", "644", "root:root", LONG_AGO, "edited by hand\n")


def node_plan(seed: Cluster, **states: object) -> NodePlan:
    node = seed.node("lb2")
    names = {
        "haproxy_cfg": f"file {HAPROXY_CFG}",
        "keepalived_conf": f"file {KEEPALIVED_CONF}",
        "unit": f"file {KEEPALIVED_UNIT}",
        "check": f"file {CHECK_HAPROXY}",
        "haproxy": "service haproxy",
        "keepalived": "service keepalived",
        "sysctl": "sysctl net.ipv4.ip_nonlocal_bind",
    }
    found = observe(seed, node, states={names[name]: state for name, state in states.items()})
    return diff(desired(seed, node), found)


def actions(plan: NodePlan) -> list[str]:
    return [f"{change.action} {change.name}" for change in plan.changes]


def test_a_node_that_is_as_wanted_has_no_changes(seed: Cluster) -> None:
    """Observed again after it was brought about, the desired state differs in nothing."""
    assert actions(node_plan(seed)) == []


def test_a_bare_node_gets_everything_in_order(seed: Cluster) -> None:
    """On a node that has nothing, packages come first, then files, settings and services."""
    node = seed.preferred
    bare = {
        each.id: state
        for each in desired(seed, node)
        for kind, state in (
            ("packages", PackageState({})),
            ("file", FileState("missing")),
            ("sysctl", "0"),
            ("service", ServiceState()),
        )
        if each.id.startswith(kind)
    }
    plan = diff(desired(seed, node), observe(seed, node, states=bare))
    assert [change.kind for change in plan.changes] == 3 * ["package"] + 5 * ["file"] + ["sysctl"] + 4 * ["service"]
    assert actions(plan)[-4:] == ["enable haproxy", "start haproxy", "enable keepalived", "start keepalived"]


def test_a_changed_file_reloads_the_service_that_reads_it(seed: Cluster) -> None:
    """Drift in a file is undone, and the one service that reads the file reads it again."""
    assert actions(node_plan(seed, haproxy_cfg=DRIFTED)) == [f"update {HAPROXY_CFG}", "reload haproxy"]
    assert actions(node_plan(seed, keepalived_conf=DRIFTED)) == [f"update {KEEPALIVED_CONF}", "reload keepalived"]


def test_a_changed_unit_file_is_read_by_systemd_alone(seed: Cluster) -> None:
    """A changed drop-in makes systemd read its units again; keepalived is left alone."""
    assert actions(node_plan(seed, unit=DRIFTED)) == [f"update {KEEPALIVED_UNIT}", "daemon-reload keepalived"]


def test_a_changed_check_script_reloads_nothing(seed: Cluster) -> None:
    """keepalived runs the script anew each time: a new one needs no reload."""
    assert actions(node_plan(seed, check=DRIFTED)) == [f"update {CHECK_HAPROXY}"]


def test_a_run_that_died_before_the_reload_is_completed(seed: Cluster) -> None:
    """A file that was written, and not read since, is enough for a reload: nothing has to change but that."""
    assert actions(node_plan(seed, haproxy=running(newest=LONG_AGO + 1))) == ["reload haproxy"]


def test_a_setting_and_a_stopped_service_are_put_right(seed: Cluster) -> None:
    """Drift of other kinds is undone, too."""
    assert actions(node_plan(seed, sysctl="0", keepalived=stopped())) == [
        "set net.ipv4.ip_nonlocal_bind",
        "start keepalived",
    ]


def three(tmp_path: Path, needy: str) -> tuple[Cluster, dict[str, NodePlan]]:
    """The plans of lb-b (priority 250), lb-a (150) and lb-c (50), of which only the `needy` need changes."""
    found = cluster(tmp_path, BIG)
    drift = {f"file {HAPROXY_CFG}": DRIFTED}
    seen = [observe(found, node, states=drift if node.name[-1] in needy else {}) for node in found.nodes]
    return found, plans(found, *seen)


@pytest.mark.parametrize(
    ("needy", "holders", "living", "order"),
    [
        ("abc", (), False, (("lb-b", "lb-a", "lb-c"),)),
        ("ac", (), False, (("lb-a", "lb-c"),)),
        ("", (), False, ()),
        ("", ("lb-b",), True, ()),
        ("abc", ("lb-b",), True, (("lb-c",), ("lb-a",), ("lb-b",))),
        ("abc", ("lb-c",), True, (("lb-a",), ("lb-b",), ("lb-c",))),
        ("abc", ("lb-c", "lb-a"), True, (("lb-b",), ("lb-c",), ("lb-a",))),
        ("abc", (), True, (("lb-c",), ("lb-a",), ("lb-b",))),
        ("b", ("lb-b",), True, (("lb-b",),)),
    ],
)
def test_nodes_are_changed_in_an_order_that_keeps_the_vips(
    tmp_path: Path, needy: str, holders: tuple[str, ...], living: bool, order: tuple[tuple[str, ...], ...]
) -> None:
    """Fresh nodes all at once; of a living cluster the standby nodes one by one, then the holders."""
    _, found = three(tmp_path, needy)
    assert batches(found, holders, living) == order


@pytest.mark.parametrize(
    ("needy", "together", "order"),
    [
        ("abc", ("lb-a", "lb-b", "lb-c"), (("lb-c", "lb-a", "lb-b"),)),
        ("abc", ("lb-a", "lb-b"), (("lb-c",), ("lb-a", "lb-b"))),
        ("ac", ("lb-b",), (("lb-c",), ("lb-a",))),
    ],
)
def test_nodes_that_must_change_together_come_last(
    tmp_path: Path, needy: str, together: tuple[str, ...], order: tuple[tuple[str, ...], ...]
) -> None:
    """What peers must agree on changes on all of them at once, after the nodes that can go one by one."""
    _, found = three(tmp_path, needy)
    assert batches(found, ("lb-b",), True, together) == order


def test_a_plan_lists_its_changes_in_the_order_of_the_run(tmp_path: Path) -> None:
    """Changes are told node by node, as they will happen, each with its node, and with a diff for a file."""
    _, found = three(tmp_path, "ab")
    plan = Plan(found, batches(found, ("lb-b",), living=True))
    changes = plan.to_json()
    assert [(each["node"], each["kind"], each["name"], each["action"]) for each in changes] == [
        ("lb-a", "file", HAPROXY_CFG, "update"),
        ("lb-a", "service", "haproxy", "reload"),
        ("lb-b", "file", HAPROXY_CFG, "update"),
        ("lb-b", "service", "haproxy", "reload"),
    ]
    assert changes[0]["diff"].startswith(f"--- a{HAPROXY_CFG}\n+++ b{HAPROXY_CFG}\n@@")
    assert "diff" not in changes[1]


def test_a_node_that_was_not_seen_is_no_part_of_the_plan(seed: Cluster) -> None:
    """A plan has the nodes that were observed, and no others."""
    seen = observe(seed, seed.node("lb2"), states={f"file {HAPROXY_CFG}": DRIFTED})
    assert batches(plans(seed, replace(seen)), (), living=True) == (("lb2",),)
