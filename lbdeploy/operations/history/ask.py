"""Asking the nodes, and this machine, for a cluster's past."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError
from lbdeploy.node.answers import understood
from lbdeploy.node.resources import File
from lbdeploy.operations.history.event import History
from lbdeploy.operations.history.laptop import sessions
from lbdeploy.operations.history.logs import logs_of
from lbdeploy.operations.history.node import Past, PastReader
from lbdeploy.operations.history.story import story
from lbdeploy.planning.desired import desired
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session


def look(cluster: Cluster, pool: SessionPool, me: str, *, in_lab: bool) -> History:
    """Ask every node once. `me`: who works on this machine, as nodes record it. `in_lab`: the nodes are the lab's."""

    def ask(node: Node, session: Session) -> Past:
        reader = PastReader(_paths(cluster, node))
        asked = time.time()
        output = session.run(reader.script()).output
        answered = time.time()
        return understood(node.name, "history", lambda text: reader.read(text, asked, answered), output)

    found = pool.each(pool.nodes, ask)
    pasts = {name: each for name, each in found.items() if isinstance(each, Past)}
    errors = {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
    return History(cluster.name, story(pasts, sessions(logs_of(cluster.path), in_lab=in_lab), me), errors)


def _paths(cluster: Cluster, node: Node) -> list[str]:
    return [each.path for each in desired(cluster, node, text=lambda *_, **__: "") if isinstance(each, File)]
