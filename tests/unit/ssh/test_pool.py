"""Connections to several nodes, without nodes: who waits for whom."""

from __future__ import annotations

import threading
import time
from typing import NoReturn

import pytest
from sessions import Connected

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import ConnectError, LbdeployError
from lbdeploy.events import silent
from lbdeploy.ssh import pool as module
from lbdeploy.ssh.pool import SessionPool


def test_a_dead_node_holds_up_nobody_where_there_is_a_limit(seed: Cluster, dead: threading.Event) -> None:
    """What the others say is there soon, and what can be said of it; it may still be used when it comes."""
    with SessionPool(seed, silent) as pool:
        began = time.monotonic()
        found = pool.each(pool.nodes, lambda node, _: node.name, patience=0.1)
        assert time.monotonic() - began < 5
        assert found["lb1"] == "lb1"
        assert isinstance(found["lb2"], ConnectError)
        assert "has not answered yet" in str(found["lb2"])
        for _ in range(3):  # who works on lb1 meanwhile does not wait for a thread of lb2
            assert pool.each(pool.nodes[:1], lambda node, _: node.name) == {"lb1": "lb1"}
        dead.set()
        assert pool.each(pool.nodes, lambda node, _: node.name) == {"lb1": "lb1", "lb2": "lb2"}


def test_where_nobody_else_answers_a_node_is_waited_for(seed: Cluster, dead: threading.Event) -> None:
    """Patience begins when there is something to show."""

    def only_lb2(node: Node, _: object) -> str:
        if node.name == "lb1":
            raise LbdeployError("it is ill")
        return node.name

    with SessionPool(seed, silent) as pool:
        threading.Timer(0.3, dead.set).start()
        found = pool.each(pool.nodes, only_lb2, patience=0.05)
    assert found["lb2"] == "lb2"


def test_a_session_that_opens_when_nobody_wants_it_any_more_is_closed(seed: Cluster, dead: threading.Event) -> None:
    """A connection that was made anew took its place, or its pool was left."""
    with SessionPool(seed, silent) as pool:
        pool.each(pool.nodes, lambda node, _: node.name, patience=0.05)
        late = pool._sessions["lb2"]
    dead.set()
    assert isinstance(late.result(5), Connected)
    deadline = time.monotonic() + 5
    while not late.result().closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert late.result().closed


@pytest.mark.parametrize("how", [KeyboardInterrupt, RuntimeError])
def test_ctrl_c_in_the_middle_of_a_lock_is_a_ctrl_c(
    seed: Cluster, dead: threading.Event, monkeypatch: pytest.MonkeyPatch, how: type[BaseException]
) -> None:
    """As the block around it ends, the lock is not held any more, which Python tells instead."""

    def waits(*_: object) -> NoReturn:
        try:
            raise KeyboardInterrupt
        finally:
            if how is RuntimeError:
                threading.Lock().release()

    monkeypatch.setattr(module, "wait", waits)
    with SessionPool(seed, silent) as sessions, pytest.raises(KeyboardInterrupt):
        sessions.each(sessions.nodes, lambda node, _: node.name)
    dead.set()
