"""The open connections of a server that is drained: waiting for them to end, and closing them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lbdeploy.config.model import Node
from lbdeploy.errors import InterruptedRunError, LbdeployError
from lbdeploy.events import Emit, Step
from lbdeploy.node.answers import understood
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.resources.drains import Pair
from lbdeploy.operations.servers.names import Member
from lbdeploy.operations.servers.node_scripts import close_connections, open_connections, parse_open
from lbdeploy.operations.servers.result import ServerResult
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

POLL_SECONDS = 0.5
CLOSING_SECONDS = 2.0  # until connections that were closed must be gone


@dataclass(frozen=True, slots=True)
class OpenConnections:
    """The connections of all nodes' haproxy to the servers `wanted`."""

    pool: SessionPool
    emit: Emit
    wanted: Sequence[Member]

    def ended(self, result: ServerResult, wait: float) -> ServerResult:
        """Wait until there are none, for at most `wait` seconds."""
        began, told = time.monotonic(), ""
        try:
            while result.left and time.monotonic() < began + wait:
                told = self._tell(result, told)
                time.sleep(min(POLL_SECONDS, max(0.0, began + wait - time.monotonic())))
                result = self._counted(result, open_connections(self.wanted))
        except KeyboardInterrupt:
            raise _interrupted(result) from None
        return replace(result, waited=wait)

    def closed(self, result: ServerResult) -> ServerResult:
        """Close them, and wait until they are gone."""
        for name in result.left:
            self.emit(Step(name, f"close the open connections to {result.server}"))
        result = self._counted(result, close_connections(self.wanted))
        deadline = time.monotonic() + CLOSING_SECONDS
        while result.left and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            result = self._counted(result, open_connections(self.wanted))
        return replace(result, closed=True)

    def _tell(self, result: ServerResult, told: str) -> str:
        """Show how many connections are left, where that is news."""
        now = ", ".join(f"{name} {number}" for name, number in result.left.items())
        for name, number in result.left.items() if now != told else ():
            self.emit(Step(name, f"wait for the open connections to {result.server} to end: {number}"))
        return now

    def _counted(self, result: ServerResult, script: str) -> ServerResult:
        """The result with the connections that are open now, as a script counts them.

        A node that is lost becomes an error, and what it had is not waited for.
        """

        def counted(node: Node, session: Session) -> dict[Pair, int]:
            output = session.run(f"{PRELUDE}{script}\n").output
            return understood(node.name, "open connections", parse_open, output)

        found = self.pool.each([each.node for each in result.nodes.values()], counted)
        errors = {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
        nodes = {
            name: replace(result.nodes[name], open=each)
            for name, each in found.items()
            if not isinstance(each, LbdeployError)
        }
        return replace(result, nodes=nodes, errors={**result.errors, **errors})


def _interrupted(result: ServerResult) -> InterruptedRunError:
    left = ", ".join(f"{number} on {name}" for name, number in result.left.items()) or "none"
    return InterruptedRunError(
        "stopped waiting",
        state=f"{result.server} is drained; open connections: {left}",
        fix=result.typed("drain", "--wait", "60", after=f" waits again; to end the drain: {result.typed('undrain')}"),
    )
