"""What is looked at while a cluster recovers."""

from __future__ import annotations

from typing import Any

import pytest
from builders import observe, survey

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import ConnectError
from lbdeploy.operations.drill import recovery
from lbdeploy.operations.drill.recovery import Eyes
from lbdeploy.rollout.observer import Wanted


class Reopening:
    """A pool that writes down which nodes are connected to anew."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.reopened: list[str] = []

    def reopen(self, node: Node) -> None:
        self.reopened.append(node.name)
        if len(self.reopened) < 2:
            raise ConnectError("still booting")


def test_only_a_connection_that_has_failed_is_made_anew(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that boots is tried again and again, and nobody logs in to the others for each look."""
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.01)
    one, two = (observe(seed, node, holds=node is seed.preferred) for node in seed.nodes)
    away = survey(seed, two, lb1=ConnectError("no answer"))
    looks = iter([away, away, survey(seed, one, two)])
    pool: Any = Reopening(seed.nodes)
    observer: Any = type("Observer", (), {"look": lambda self, wanted: next(looks)})()
    assert Eyes(pool, observer, Wanted({}, frozenset())).until_well(20).verdict.healthy
    assert pool.reopened == ["lb1", "lb1"]
