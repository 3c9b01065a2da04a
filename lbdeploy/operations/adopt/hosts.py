"""The nodes of a pair that has no hosts.toml yet: what SSH connects to, by the name that each is to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lbdeploy.config.draft import named
from lbdeploy.errors import UsageError


def hosts(nodes: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    """By name, from names or NAME=ADDRESS words, if they are not a mapping already. Raises UsageError.

    One is enough to be asked who its peers are: see `alone`.
    """
    found = dict(nodes) if isinstance(nodes, Mapping) else named(list(nodes), "lb")
    for host in (each for each in found.values() if "@" in each):
        user = host.partition("@")[0]
        raise UsageError(f"{host} has a login in it", fix=f"say who logs in in ~/.ssh/config: User {user}")
    if not found or len(set(found.values())) < len(found):
        raise UsageError("each node has to be named once", fix="lbdeploy adopt lb1 lb2")
    return found
