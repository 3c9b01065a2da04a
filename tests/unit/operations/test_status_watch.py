"""The screen of `status --watch`."""

from __future__ import annotations

import threading
import time

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.events import silent
from lbdeploy.operations.status_watch import Watch, once
from lbdeploy.ssh.pool import SessionPool


def test_a_screen_begins_with_the_nodes_that_are_there(
    seed: Cluster, dead: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of lb1 is shown while lb2 is still being connected to."""
    from statuses import pair

    monkeypatch.setattr("lbdeploy.operations.status_watch._look", lambda look, _: pair(seed).nodes[look.node.name])
    with SessionPool(seed, silent) as pool:
        began = time.monotonic()
        watch = Watch(seed, pool, once(seed, pool, 0.1))
        assert time.monotonic() - began < 5
        assert list(watch.status.nodes) == ["lb1"]
        assert "has not answered yet" in watch.status.errors["lb2"].message
