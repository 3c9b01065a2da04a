"""A run that restores what an earlier run replaced: with the same stages and safeguards, but other contents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import HostsFileError, LbdeployError
from lbdeploy.events import Emit
from lbdeploy.node.answers import understood
from lbdeploy.operations.generations import Generation, Reader, RollbackTarget
from lbdeploy.planning.desired import desired
from lbdeploy.rollout.options import Options
from lbdeploy.rollout.origin import Origin
from lbdeploy.rollout.run import WORDING, Run
from lbdeploy.ssh.pool import SessionPool


def generations(pool: SessionPool) -> dict[str, list[Generation]]:
    """The generations that each node can be rolled back to, newest first. Raises the first node's error."""

    def read(node: Node, session: Any) -> list[Generation]:
        reader = Reader()
        return understood(node.name, "generations", reader.read, session.run(reader.script()).output)

    found = pool.each(pool.nodes, read)
    for each in found.values():
        if isinstance(each, LbdeployError):
            raise each
    return {name: each for name, each in found.items() if not isinstance(each, LbdeployError)}


def restoring(  # noqa: PLR0917  as a Run
    cluster: Cluster, pool: SessionPool, emit: Emit, origin: Origin, options: Options, goal: RollbackTarget
) -> Run:
    """A run whose desired state is that of `goal`, judged by the hosts.toml that it was made from."""
    then = _cluster_then(cluster, goal)
    resources = {node.name: goal.wanted(node.name, desired(then, node)) for node in then.nodes}
    origin = replace(origin, hosts=(goal.hosts or origin.hosts).rstrip("\n"))
    again = f"lbdeploy rollback --to {goal.id} goes on; lbdeploy up brings back what hosts.toml says"
    return Run(then, pool, emit, origin, options, resources, replace(WORDING, halted_fix=again))


def _cluster_then(cluster: Cluster, goal: RollbackTarget) -> Cluster:
    """The cluster as hosts.toml described it then, where SSH finds its nodes now.

    The present one where that is unknown, or had other nodes.
    """
    from lbdeploy.config.reader import load

    try:
        then = load(cluster.path, goal.hosts) if goal.hosts else cluster
    except HostsFileError:  # written for an older lbdeploy, for example
        return cluster
    same = {node.name for node in then.nodes} == {node.name for node in cluster.nodes}
    nodes = tuple(replace(node, host=cluster.node(node.name).host) for node in then.nodes) if same else ()
    return replace(then, nodes=nodes) if same else cluster
