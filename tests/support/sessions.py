"""Sessions of nodes that are only stood in for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lbdeploy.config.model import Node
from lbdeploy.ssh.pool import SessionPool


class Connected:
    """A session of a node that is well."""

    closed = False

    def close(self) -> None:
        self.closed = True


def without_lb2(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nodes that connect at once, but for lb2: only when the event is set, as one that is dead."""
    gate = threading.Event()

    def opened(self: SessionPool, node: Node, resolving: object) -> Any:
        if node.name == "lb2":
            gate.wait()
        return Connected()

    monkeypatch.setattr(SessionPool, "_open", opened)
    monkeypatch.setattr("lbdeploy.ssh.pool.Resolving", lambda *_: None)
    yield gate
    gate.set()
