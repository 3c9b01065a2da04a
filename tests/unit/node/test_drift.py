"""What has to change on a node, and in which order."""

from __future__ import annotations

from pathlib import Path

from builders import LONG_AGO, has, observe, running, stopped
from clusters import with_options
from goldens import SCRIPT

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.node.drift import NodePlan, diff
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import (
    CHECK_HAPROXY,
    HAPROXY_CFG,
    HAPROXY_UNIT,
    KEEPALIVED_CONF,
    KEEPALIVED_UNIT,
    desired,
    files,
)

DRIFTED = FileState("file", "644", "root:root", LONG_AGO, "edited by hand\n")


def node_plan(seed: Cluster, **states: object) -> NodePlan:
    node = seed.node("lb2")
    names = {
        "haproxy_cfg": f"file {HAPROXY_CFG}",
        "keepalived_conf": f"file {KEEPALIVED_CONF}",
        "unit": f"file {KEEPALIVED_UNIT}",
        "haproxy_unit": f"file {HAPROXY_UNIT}",
        "check": f"file {CHECK_HAPROXY}",
        "haproxy": "service haproxy",
        "keepalived": "service keepalived",
        "journal": "service lbdeploy",
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
            ("file /", FileState("missing")),
            ("sysctl", "0"),
            ("service", ServiceState()),
            ("service lbdeploy", JournalState()),
        )
        if each.id.startswith(kind)
    }
    plan = diff(desired(seed, node), observe(seed, node, states=bare))
    assert [change.kind for change in plan.changes] == 3 * ["package"] + 10 * ["file"] + 5 * ["sysctl"] + 4 * [
        "service"
    ]
    assert actions(plan)[-4:] == ["enable haproxy", "start haproxy", "enable keepalived", "start keepalived"]


def test_a_changed_file_reloads_the_service_that_reads_it(seed: Cluster) -> None:
    """Drift in a file is undone, and the one service that reads the file reads it again."""
    assert actions(node_plan(seed, haproxy_cfg=DRIFTED)) == [f"update {HAPROXY_CFG}", "reload haproxy"]
    assert actions(node_plan(seed, keepalived_conf=DRIFTED)) == [f"update {KEEPALIVED_CONF}", "reload keepalived"]


def test_a_changed_unit_file_is_read_by_systemd_alone(seed: Cluster) -> None:
    """A changed drop-in makes systemd read its units again; the daemons are left alone."""
    assert actions(node_plan(seed, unit=DRIFTED)) == [f"update {KEEPALIVED_UNIT}", "daemon-reload keepalived"]
    assert actions(node_plan(seed, haproxy_unit=DRIFTED)) == [f"update {HAPROXY_UNIT}", "daemon-reload haproxy"]


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


def test_a_run_that_was_interrupted_is_repaired(seed: Cluster) -> None:
    """What is left of it is tidied up, though nothing else may have to change."""
    journal = JournalState("1", "ann@laptop", "reload keepalived", ended=False)
    assert actions(node_plan(seed, journal=journal)) == ["repair lbdeploy"]


def test_only_some_of_the_changes_can_be_wanted(seed: Cluster) -> None:
    """The resources stay all there, each with the state that it was found in; what is not wanted is no change."""
    whole = node_plan(seed, haproxy_cfg=DRIFTED, sysctl="0")
    some = whole.only(lambda resource, change: change.kind == "file" and resource.id == f"file {HAPROXY_CFG}")
    assert actions(whole) == [f"update {HAPROXY_CFG}", "set net.ipv4.ip_nonlocal_bind", "reload haproxy"]
    assert actions(some) == [f"update {HAPROXY_CFG}"]
    assert [(part.resource, part.state) for part in some.parts] == [(part.resource, part.state) for part in whole.parts]
    assert whole.only(lambda *_: True) == whole
    assert actions(whole.only(lambda *_: False)) == []


def test_a_changed_script_needs_no_reload(tmp_path: Path) -> None:
    """keepalived runs it anew each time."""
    before = with_options(tmp_path)
    (tmp_path / "scripts/notify.sh").write_text(SCRIPT + " # more\n")
    after = reader.load(tmp_path / "hosts.toml")
    looks = observe(after, after.preferred, states={f.id: has(f) for f in files(before, before.preferred)})
    assert [(c.kind, c.name, c.action) for c in diff(desired(after, after.preferred), looks).changes] == [
        ("file", "/etc/keepalived/lbdeploy-notify", "update")
    ]
