"""The checks of `doctor`, and those that `up` makes, too."""

from __future__ import annotations

from dataclasses import replace

from checkups import looked, of_node

from lbdeploy.config.model import Cluster
from lbdeploy.operations.doctor.checklist import IGNORED_BY_UP


def test_what_up_looks_at_too_is_found(seed: Cluster) -> None:
    """No systemd, and a kernel setting that can't be set, are refused by every up."""
    node = looked(seed)
    node = replace(node, observation=replace(node.observation, lacks=frozenset({"systemd", "nonlocal-bind"})))
    assert of_node(seed, node) == [("systemd", False), ("nonlocal-bind", False)]
    assert {"systemd", "nonlocal-bind", "vip-in-use", "vrid-in-use"} <= set(IGNORED_BY_UP)
