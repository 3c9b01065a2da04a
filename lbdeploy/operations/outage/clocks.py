"""How far each node's clock is ahead of the operator's: asked over SSH."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lbdeploy.drill import journal
from lbdeploy.drill.journal import Clock
from lbdeploy.errors import LbdeployError
from lbdeploy.fleet import Fleet
from lbdeploy.model import Node

if TYPE_CHECKING:
    from lbdeploy.transport import Session


def clocks_of(fleet: Fleet) -> dict[str, Clock]:
    """Each node's clock, by the most precise of three measurements. Raises the error of a node that can't be asked."""

    def compare(_: Node, session: Session) -> Clock:
        return min((_ask(session) for _ in range(3)), key=lambda clock: clock.within)

    found = fleet.each(fleet.nodes, compare)
    for each in found.values():
        if isinstance(each, LbdeployError):
            raise each
    return {name: each for name, each in found.items() if isinstance(each, Clock)}


def _ask(session: Session) -> Clock:
    asked = time.time()
    said = session.run(journal.NOW).output
    return Clock.compared(asked, float(said), time.time())
