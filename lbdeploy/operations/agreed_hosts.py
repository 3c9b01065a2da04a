"""The hosts.toml by which a rollback judges the whole cluster: one that means for each node what its own record says.

A node may be broken into, and then it can store anything. So what it stores decides about that node only, and counts
for the others only where their own records mean the same. See docs/decisions/015-generations.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from lbdeploy.config.model import Cluster
from lbdeploy.errors import HostsFileError
from lbdeploy.operations.generations import RollbackTarget
from lbdeploy.planning.desired import KEEPALIVED_CONF, desired, files


@dataclass(frozen=True, slots=True)
class Basis:
    """A hosts.toml: what it describes, and its text."""

    cluster: Cluster
    hosts: str


def agreed(here: Basis, stated: Mapping[str, str]) -> Basis | None:
    """The hosts.toml `here`, or one of those that nodes have stored, that every node's own record agrees with, if any.

    A node that states nothing agrees with what means the same as `here`.
    """
    known = {text: Basis(then, text) for text in dict.fromkeys(stated.values()) if (then := _then(here.cluster, text))}
    own = {node.name: known.get(stated.get(node.name, ""), here) for node in here.cluster.nodes}
    return next((each for each in (here, *known.values()) if all(_same(each, own[name], name) for name in own)), None)


def disagreeing(here: Basis, stated: Mapping[str, str]) -> list[str]:
    """The nodes whose own record of then means something else for them than `here`."""
    return [name for name in stated if agreed(here, {name: stated[name]}) is not here]


def differing(basis: Basis, goal: RollbackTarget) -> Iterator[str]:
    """Files that peers have alike, but for their names, and that will not be: an old one was edited by hand, or forged.

    What hosts.toml makes of each node differs, too, so it is compared what each old file has that it does not make, and
    what it lacks of that which both would have. keepalived.conf is not compared: each node has its own priority and
    addresses there.
    """
    nodes = basis.cluster.nodes
    made = {node.name: {file.path: file.content for file in files(basis.cluster, node)} for node in nodes}
    for one, other in combinations(made, 2):
        for path in sorted(made[one].keys() & made[other].keys() - {KEEPALIVED_CONF}):
            both = {*made[one][path].splitlines()} & {*made[other][path].splitlines()}
            first, second = (_otherwise(goal, name, path, made[name][path], both) for name in (one, other))
            if first != second:
                who = f"{one} and {other}"
                yield f"{path} will not be the same on {who}: compare it, unless you edited it by hand there"


def _otherwise(goal: RollbackTarget, name: str, path: str, made: str, common: set[str]) -> frozenset[str]:
    """The lines, without comments, that a node's old file has besides those made for it, or lacks of the common."""
    then = goal.nodes[name].files if name in goal.nodes else {}
    _, kept = then.get(path, ("", made))
    lines = {*kept.splitlines()}
    return frozenset(line for line in (lines - {*made.splitlines()}) | (common - lines) if not line.startswith("#"))


def _same(one: Basis, other: Basis, name: str) -> bool:
    """Whether both mean the same for a node."""
    return one is other or desired(one.cluster, one.cluster.node(name)) == desired(
        other.cluster, other.cluster.node(name)
    )


def _then(cluster: Cluster, hosts: str) -> Cluster | None:
    """The cluster as an old hosts.toml describes it, where SSH finds its nodes now.

    None where that is unknown, or it had other nodes.
    """
    from lbdeploy.config.reader import load

    try:
        then = load(cluster.path, hosts) if hosts else None
    except HostsFileError:  # written for an older lbdeploy, for example
        return None
    if not then or {node.name for node in then.nodes} != {node.name for node in cluster.nodes}:
        return None
    nodes = tuple(replace(node, host=cluster.node(node.name).host) for node in then.nodes)
    return replace(then, nodes=nodes, ssh=cluster.ssh)
