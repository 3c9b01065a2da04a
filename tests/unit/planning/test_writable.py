"""Whether a node lets lbdeploy write what it is to write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import LONG_AGO, observe, plans

from lbdeploy.config.model import Cluster
from lbdeploy.node import surroundings
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning import writable
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF


def told(seed: Cluster, line: str) -> Observation:
    """A node whose haproxy.cfg is to change, and what it says of what can't be written."""
    states = {f"file {HAPROXY_CFG}": FileState("file", "600", "root:root", LONG_AGO, "old")}
    return replace(observe(seed, seed.node("lb1"), states=states), marks={surroundings.NAME: Answer(line)})


@pytest.mark.parametrize(
    ("line", "said", "fix"),
    [
        ("immutable /etc/haproxy/haproxy.cfg", "is immutable: chattr +i was used on it", "chattr -i /etc/haproxy/hap"),
        ("append-only /etc/haproxy", "is append-only: chattr +a was used on it", "chattr -a /etc/haproxy"),
        ("ro /etc/haproxy", "its file system is mounted read-only", "mount -o remount,rw $(findmnt"),
        ("ro /run", "its file system is mounted read-only", "mount -o remount,rw $(findmnt"),
        ("rw /var/lib/lbdeploy", "root can't write to /var/lib/lbdeploy", "lsattr -d /var/lib/lbdeploy"),
    ],
)
def test_what_can_not_be_written_is_told_with_why_and_the_way_out(
    seed: Cluster, line: str, said: str, fix: str
) -> None:
    """The file itself, its folder, and what each run writes."""
    seen = told(seed, f"unwritable {line}\n")
    (found,) = writable.findings(seen, writable.written(plans(seed, seen)["lb1"]))
    assert (said in found.detail, fix in str(found.fix), found.is_error) == (True, True, True)


def test_what_is_not_to_be_written_may_be_immutable(seed: Cluster) -> None:
    """Another file; and everything, where there is nothing to do."""
    seen = told(seed, f"unwritable immutable {KEEPALIVED_CONF}\nunwritable ro /run\n")
    assert [each.subject for each in writable.findings(seen, {HAPROXY_CFG})] == ["/run"]
    assert list(writable.findings(seen, ())) == []
