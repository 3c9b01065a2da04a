"""What `down` takes away from a node."""

from __future__ import annotations

from lbdeploy.node.resources import Gone
from lbdeploy.operations.down_steps import original
from lbdeploy.planning.desired import NO_LEFTOVERS


def test_down_removes_all_of_them() -> None:
    """Whatever hosts.toml says by then."""
    (leftovers,) = (each for each in original(purge=False) if isinstance(each, Gone) and each.late)
    assert leftovers == NO_LEFTOVERS
