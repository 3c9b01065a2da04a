"""Servers as the operator names them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lbdeploy.config.model import Cluster, Frontend, Server
from lbdeploy.errors import UsageError
from lbdeploy.operations.arguments import chosen

State = Literal["drain", "ready"]  # as haproxy's `set server ... state` takes them
Member = tuple[Frontend, Server]


def members(cluster: Cluster, server: str, frontend: str | None = None) -> tuple[Member, ...]:
    """The server as each of its frontends has it, or only one of them. Raises UsageError where there is none."""
    everyone: list[tuple[Frontend, Server]] = list(cluster.servers())
    where = f" in {cluster.path.name}"
    chosen([server], "server", list(dict.fromkeys(each.name for _, each in everyone)), where)
    if frontend is not None:
        chosen([frontend], "frontend", [each.name for each in cluster.frontends], where)
    found = tuple((f, s) for f, s in everyone if s.name == server and frontend in (None, f.name))
    if not found:
        fix = f"lbdeploy drain {server}, or one of: {_listed([f for f, s in everyone if s.name == server])}"
        raise UsageError(f"the frontend {frontend} has no server {server}", fix=fix)
    return found


def _listed(frontends: Sequence[Frontend]) -> str:
    return ", ".join(f"--frontend {each.name}" for each in frontends)
