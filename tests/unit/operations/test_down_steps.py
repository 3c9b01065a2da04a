"""What `down` takes away from a node."""

from __future__ import annotations

from pathlib import Path

import goldens
import pytest
from builders import SEED, cluster
from removals import known

from lbdeploy.config.model import Cluster
from lbdeploy.errors import RenderError
from lbdeploy.node.drift import diff
from lbdeploy.node.resources import Gone
from lbdeploy.node.resources.purge import Purge, PurgeState
from lbdeploy.operations.down_steps import leave, original, purge
from lbdeploy.planning.desired import NO_LEFTOVERS, NO_VRRP_METRICS, desired, files, packages, sysctls
from lbdeploy.rollout.transaction import Task


@pytest.mark.parametrize("name", goldens.ALL)
def test_what_down_takes_away_is_what_up_puts_there(tmp_path: Path, seed: Cluster, name: str) -> None:
    """Every file, setting, daemon and package, also where another hosts.toml has asked for it before."""
    goldens.beside(tmp_path)
    put = goldens.load(tmp_path, name)
    for now in (put, seed):
        wanted = original(now, now.preferred, purge=True)
        ids, gone = {each.id for each in wanted}, [each for each in wanted if isinstance(each, Gone)]
        assert len(ids) == len(wanted)
        for file in files(put, put.preferred):
            assert (f"original {file.path}" in ids) != any(each.covers(file.path) for each in gone)
        assert {f"original {each}" for each in (*sysctls(put), "haproxy", "keepalived")} <= ids
        assert {*packages(put)} <= {name for each in wanted if isinstance(each, Purge) for name in each.names}


def test_down_needs_no_template(tmp_path: Path) -> None:
    """One that can't be rendered is no reason to keep the load balancer."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/haproxy.cfg.j2").write_text("{{ nonsense")
    broken = cluster(tmp_path, SEED.read_text())
    with pytest.raises(RenderError):
        desired(broken, broken.preferred)
    assert original(broken, broken.preferred, purge=True)


def test_down_removes_all_of_them(seed: Cluster) -> None:
    """Whatever hosts.toml says by then."""
    wanted = original(seed, seed.preferred, purge=False)
    leftovers = [each for each in wanted if isinstance(each, Gone) and each.late]
    assert leftovers == [NO_VRRP_METRICS, NO_LEFTOVERS]


def test_the_steps_of_a_node_that_leaves(seed: Cluster) -> None:
    """keepalived stops before haproxy; what the next boot goes by, and packages, wait until it is confirmed."""
    seen = known(seed, "lb1", purge=PurgeState(("haproxy",)))
    plan = diff(original(seed, seen.node, purge=True), seen)
    steps = "\n".join(leave(Task(plan, 30), ("10.0.0.1",), purge=False).script)
    wanted = ("keep", "systemctl stop keepalived", "systemctl stop haproxy", "release 10.0.0.1", "drop /etc/haproxy",
              "await 30", "drop /etc/sysctl.d", "disable haproxy")  # fmt: skip
    where = [steps.index(f"\n{each}") if each == "keep" else steps.index(each) for each in wanted]
    assert where == sorted(where)
    assert "purge haproxy" not in steps
    assert "purge haproxy" in purge(plan).script
