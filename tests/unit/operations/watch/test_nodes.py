"""The screen of `status --watch`."""

from __future__ import annotations

import threading
import time

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.events import silent
from lbdeploy.operations.watch.nodes import Watch, once
from lbdeploy.ssh.pool import SessionPool


def test_a_screen_begins_with_the_nodes_that_are_there(
    seed: Cluster, dead: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of lb1 is shown while lb2 is still being connected to."""
    from statuses import pair

    monkeypatch.setattr("lbdeploy.operations.watch.nodes._look", lambda look, _: pair(seed).nodes[look.node.name])
    with SessionPool(seed, silent) as pool:
        began = time.monotonic()
        watch = Watch(seed, pool, once(seed, pool, 0.1))
        assert time.monotonic() - began < 5
        assert list(watch.status.nodes) == ["lb1"]
        assert "has not answered yet" in watch.status.errors["lb2"].message


def test_a_look_is_one_remote_command_a_node(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is drawn: the first look, and one every PERIOD."""
    monkeypatch.setattr("lbdeploy.operations.watch.nodes.PERIOD", 0.2)
    commands: list[str] = []

    class Session:
        def run(self, script: str) -> object:
            commands.append(script)
            raise ConnectError("no matter what")

        def close(self) -> None:
            """A connection that failed is replaced."""

    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool._open", lambda *_: Session())
    with SessionPool(seed, silent) as pool:
        first = once(seed, pool)
        assert len(commands) == len(seed.nodes)
        with Watch(seed, pool, first) as watch:
            deadline = time.monotonic() + 1.1
            while time.monotonic() < deadline:
                assert watch.status.errors
                assert not watch.last
                time.sleep(0.01)
    assert 3 * len(seed.nodes) <= len(commands) <= 7 * len(seed.nodes)
