"""Which changes VRRP peers must get at once, because they would stop hearing each other in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import SEED, cluster, observe

from lbdeploy import hosts
from lbdeploy.agreement import agreed, disagrees
from lbdeploy.desired import KEEPALIVED_CONF, desired, files
from lbdeploy.plan import NodePlan, diff
from lbdeploy.resources.file import FileState

GOOD = SEED.read_text()


def changed(folder: Path, old: str, new: str) -> NodePlan:
    """The plan of the preferred node, which has what the sample says, for a file that says something else."""
    before = hosts.load(SEED)
    conf = next(file.content for file in files(before, before.preferred) if file.path == KEEPALIVED_CONF)
    after = cluster(folder, GOOD.replace(old, new))
    states = {f"file {KEEPALIVED_CONF}": FileState("file", "644", "root:root", 1.0, conf)}
    return diff(desired(after, after.preferred), observe(after, after.preferred, states=states))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("advert_interval = 1", "advert_interval = 2", True),
        ("advert_interval = 1", "advert_interval = 0.5", True),
        ("router_id = 101", "router_id = 102", True),
        ('"192.168.0.10/24"', '"192.168.0.9/24"', True),
        ('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.9/24"]', True),
        ("preempt_delay = 30", "preempt_delay = 60", False),
        ("preempt_delay = 30", "preempt = false", False),
        ("priority = 200", "priority = 201", False),
        ('interface = "ens33"', 'interface = "ens34"', False),
        ("port = 6443", "port = 6444", False),
        ("priority = 200", "priority = 200", False),
    ],
)
def test_what_peers_compare_must_change_at_once(tmp_path: Path, old: str, new: str, expected: bool) -> None:
    """The interval, the VIPs, the router and the version are compared by peers; the rest is each node's own matter."""
    assert disagrees(changed(tmp_path, old, new)) is expected


def test_a_node_without_a_configuration_disagrees_with_nobody(tmp_path: Path) -> None:
    """A node that speaks no VRRP yet can be changed by itself."""
    found = cluster(tmp_path, GOOD)
    for state in (FileState("missing"), FileState("other"), FileState("file", "644", "root:root", 1.0, "")):
        states = {f"file {KEEPALIVED_CONF}": state}
        assert not disagrees(diff(desired(found, found.preferred), observe(found, found.preferred, states=states)))


def test_comments_and_spaces_are_no_settings() -> None:
    """Two configurations that say the same agree, however they are written."""
    assert agreed("advert_int 1\n  10.0.0.1/24 dev a\n") == agreed(
        "# advert_int 2\n\tadvert_int   1\n10.0.0.1/25  dev b\n"
    )
    assert agreed("advert_int 1\n") != agreed("advert_int 2\n")
