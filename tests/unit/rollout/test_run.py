"""Runs of `up`, without nodes."""

from __future__ import annotations

from pathlib import Path

from builders import SEED, cluster, observe
from clusters import with_firewall

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster
from lbdeploy.node.drift import diff
from lbdeploy.node.resources import File, Gone, Packages, Service, Sysctl
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import FIREWALL_SERVICE, desired
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.run import earlier
from lbdeploy.rollout.transaction import Task, Transaction


def test_a_node_that_had_no_firewall_gets_none_back(tmp_path: Path) -> None:
    """Where another node fails, this one's new files go again, and the service is stopped before them."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    node = found.preferred
    wanted = desired(found, node)
    new = [each for each in wanted if isinstance(each, File) and "fire" in each.path]
    states = {each.id: FileState("missing") for each in new} | {f"service {FIREWALL_SERVICE}": ServiceState()}
    back = earlier(wanted, observe(found, node, states=states))
    assert not any(isinstance(each, File) and "fire" in each.path for each in back)
    assert [each.unit for each in back if isinstance(each, Gone) and "fire" in each.unit] == [FIREWALL_SERVICE]
    assert not any(isinstance(each, Service) and each.unit == FIREWALL_SERVICE for each in back)
    gone = [each for each in back if isinstance(each, Gone) and not each.late]
    there = {each.id: dict.fromkeys(each.patterns, "ours\n") for each in gone}
    script = Transaction(Task(diff(back, observe(found, node, states=there))), Origin("id", "ann", "")).launch()
    at = [script.index(each) for each in (f"step stop {FIREWALL_SERVICE}", *(f"drop {each.path}" for each in new))]
    assert at[0] == min(at)


def test_a_node_that_goes_back_wants_what_was_observed(seed: Cluster) -> None:
    """Files with their contents of then or none, settings with their values; but packages of any version stay."""
    node = seed.preferred
    wanted = [
        File("/etc/there", "new\n", validate=Raw("true")),
        File("/etc/missing", "new\n"),
        Sysctl("net.a", "1"),
        Sysctl("net.none", "1"),
        Packages(("haproxy",), pins=(("haproxy", "2.*"),)),
        Service("haproxy"),
    ]
    states = {
        "file /etc/there": FileState("file", "640", "root:root", 1.0, "old\n"),
        "file /etc/missing": FileState("missing"),
        "sysctl net.a": "0",
        "sysctl net.none": None,
        "packages haproxy": PackageState({}),
        "service haproxy": ServiceState(),
    }
    there, missing, setting, unknown, packages, service = earlier(wanted, observe(seed, node, states=states))
    assert there == File("/etc/there", "old\n", "640", Raw("true"))
    assert isinstance(missing, Gone)
    assert missing.patterns == ("/etc/missing",)
    assert (setting, unknown) == (Sysctl("net.a", "0"), Sysctl("net.none", "1"))
    assert (packages, service) == (Packages(("haproxy",)), Service("haproxy"))
