"""Results of drains."""

from __future__ import annotations

from typing import Any

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError
from lbdeploy.node.resources.drains import Drain
from lbdeploy.operations.servers.result import NodeResult, ServerResult

DRAIN = Drain("k8s-api", "master1", 1795971480, "ann@laptop")


def node(seed: Cluster, name: str, number: int = 0, *, changed: bool = True, answers: bool = True) -> NodeResult:
    """A node on which master1 was drained, and has so many connections."""
    there = {("k8s-api", "master1"): number}
    return NodeResult(node=seed.node(name), changed=changed, answers=answers, records=(DRAIN,), open=there)


def result(*nodes: NodeResult, errors: dict[str, LbdeployError] | None = None, **changes: Any) -> ServerResult:
    """The result of draining master1."""
    given: dict[str, Any] = {"server": "master1", "state": "drain", "frontends": ("k8s-api",), **changes}
    return ServerResult(nodes={each.node.name: each for each in nodes}, errors=errors or {}, **given)
