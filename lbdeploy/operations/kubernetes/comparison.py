"""hosts.toml's servers beside the API servers that the cluster names. Pure.

A server is taken for gone only where that is certain: one that is down is not announced, either, and one that is
removed is not used when it is back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lbdeploy.config.model import Address, Cluster, Frontend, Server
from lbdeploy.errors import UsageError
from lbdeploy.operations.arguments import chosen
from lbdeploy.operations.kubernetes.api_servers import ApiServer, ControlPlane

# "same": in both. "missing": hosts.toml lacks it. "gone": of no node of the control plane any more. "silent": of one
# that announces no API server now. "unknown": not announced, and the cluster does not say who is its control plane.
State = Literal["same", "missing", "gone", "silent", "unknown"]


PLAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")  # what hosts.toml takes as a name


@dataclass(frozen=True, slots=True)
class ComparedServer:
    """A server of a frontend: `server` is its name in hosts.toml, or the one that it would get there."""

    frontend: str
    server: str
    address: Address
    port: int
    state: State
    node: str | None

    @property
    def differs(self) -> bool:
        return self.state in {"missing", "gone"}

    def to_json(self) -> dict[str, object]:
        """An entry of `servers` in the document of `servers`."""
        return {
            "frontend": self.frontend,
            "server": self.server,
            "address": str(self.address),
            "port": self.port,
            "state": self.state,
            "node": self.node,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every server of the frontends of the API. `strange`: frontends of which the cluster names no server."""

    rows: tuple[ComparedServer, ...]
    strange: tuple[str, ...]
    plane: ControlPlane

    @property
    def differences(self) -> tuple[ComparedServer, ...]:
        return tuple(row for row in self.rows if row.differs)

    def to_json(self) -> dict[str, object]:
        """The keys of the JSON document."""
        without = self.plane.without_nodes
        return {
            "servers": [row.to_json() for row in self.rows],
            "vips_announced": [str(each) for each in self.plane.shadowed],
            **({"nodes_error": without.to_json()} if without else {}),
        }


def compared(cluster: Cluster, plane: ControlPlane, frontends: Sequence[str] = ()) -> Comparison:
    """The servers of these frontends, or of those of the API. Raises UsageError where it is not clear which that is."""
    where = f" in {cluster.path.name}"
    names = chosen(frontends, "frontend", [each.name for each in cluster.frontends], where)
    picked = [each for each in cluster.frontends if each.name in names] if names else _of_the_api(cluster, plane)
    rows = tuple(row for frontend in picked for row in _rows(frontend, plane))
    known = {row.frontend for row in rows if row.state in {"same", "silent"}}
    return Comparison(rows, tuple(each.name for each in picked if each.name not in known), plane)


def _of_the_api(cluster: Cluster, plane: ControlPlane) -> list[Frontend]:
    """The frontends that have an API server at its port; the only one, where none has."""
    found = [each for each in cluster.frontends if any(_named(server, plane, port=True) for server in each.servers)]
    if not found and len(cluster.frontends) > 1:
        listed = ", ".join(f"--frontend {each.name}" for each in cluster.frontends)
        message = "no frontend has a server that the cluster names, so it is not clear which one is the API's"
        raise UsageError(message, state="nothing was changed", fix=f"name it: {listed}")
    return found or list(cluster.frontends)


def _named(server: Server, plane: ControlPlane, *, port: bool = False) -> ApiServer | None:
    """What the cluster names at the address of a server; `port`: and at its port."""
    return next(
        (
            each
            for each in plane.servers
            if server.address in each.addresses and (not port or each.port in {None, server.port})
        ),
        None,
    )


def _rows(frontend: Frontend, plane: ControlPlane) -> Iterator[ComparedServer]:
    seen: list[ApiServer] = []
    for server in frontend.servers:
        named = _named(server, plane)
        seen += [named] if named else []
        node = named.node if named else None
        yield ComparedServer(frontend.name, server.name, server.address, server.port, _state(named, plane), node)
    taken = {server.name for server in frontend.servers}
    for each in plane.servers:
        if each.announced and each not in seen:
            name = _free(each, taken)
            taken.add(name)
            yield ComparedServer(frontend.name, name, each.address, _port(frontend, plane, each), "missing", each.node)


def _state(named: ApiServer | None, plane: ControlPlane) -> State:
    if named:
        return "same" if named.announced else "silent"
    return "gone" if plane.complete else "unknown"


def _port(frontend: Frontend, plane: ControlPlane, new: ApiServer) -> int:
    """The API's port, where the frontend's servers have it; or that of its other servers, if they are of a kind."""
    api = any(_named(server, plane, port=True) for server in frontend.servers)
    ports = {server.port for server in frontend.servers}
    return new.port if api and new.port else ports.pop() if len(ports) == 1 else frontend.port


def _free(server: ApiServer, taken: set[str]) -> str:
    """A name for a new server: that of its node, or one made of its address."""
    made = "api-" + str(server.address).replace(".", "-").replace(":", "-").strip("-")
    names = [server.node] if server.node and PLAIN.fullmatch(server.node) else []
    return next(
        each for each in (*names, made, *(f"{made}-{n}" for n in range(2, len(taken) + 3))) if each not in taken
    )
