"""How far each node's clock is ahead of the operator's: asked over SSH."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Node
from lbdeploy.errors import LbdeployError
from lbdeploy.node.answers import seconds, understood
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

NOW = Raw("date +%s.%N")


def clocks_of(pool: SessionPool) -> dict[str, Clock]:
    """Each node's clock, by the most precise of three measurements. Raises the error of a node that can't be asked."""

    def compare(node: Node, session: Session) -> Clock:
        return min((_ask(node, session) for _ in range(3)), key=lambda clock: clock.within)

    found = pool.each(pool.nodes, compare)
    for each in found.values():
        if isinstance(each, LbdeployError):
            raise each
    return {name: each for name, each in found.items() if isinstance(each, Clock)}


def _ask(node: Node, session: Session) -> Clock:
    asked = time.time()
    output = session.run(NOW).output
    answered = time.time()
    return Clock.compared(asked, understood(node.name, "date", seconds, output), answered)


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a node's clock is ahead of the operator's, in seconds, and how well that is known: half a round trip."""

    ahead: float = 0.0
    within: float = 0.0

    @classmethod
    def compared(cls, asked: float, node: float, answered: float) -> Clock:
        """From one question: when it was asked and answered by the operator's clock, and the node's time in between.

        A difference within the uncertainty counts as none.
        """
        ahead, within = node - (asked + answered) / 2, (answered - asked) / 2
        return cls(ahead if abs(ahead) > within else 0.0, within)

    def here(self, node_time: float) -> float:
        """Converts a time of the node's clock to the operator's."""
        return node_time - self.ahead
