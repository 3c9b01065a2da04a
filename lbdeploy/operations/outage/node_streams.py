"""Scripts that report from the nodes for as long as a drill lasts, and what each node has printed so far."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from lbdeploy.config.model import Node
from lbdeploy.ssh.limits import STREAM
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session


class Listen:
    """Runs a script on each node while it is open as a context manager, over a pool that is used for nothing else."""

    def __init__(self, pool: SessionPool, scripts: Mapping[str, str]) -> None:
        self._lines: dict[str, list[str]] = {name: [] for name in scripts}

        def tell(node: Node, session: Session) -> None:
            session.run(scripts[node.name], self._lines[node.name].append, STREAM)

        self._thread = threading.Thread(target=pool.each, args=(pool.nodes, tell), name="listen", daemon=True)

    def __enter__(self) -> Listen:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for nothing: the scripts end by themselves, or with their connections."""

    def lines(self, node: str) -> tuple[str, ...]:
        """The lines that a node has printed so far."""
        return tuple(self._lines[node])
