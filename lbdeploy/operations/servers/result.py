"""The result of draining a server, or of using it again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lbdeploy.common.typed import Typed, typed
from lbdeploy.config.model import Node
from lbdeploy.errors import LbdeployError
from lbdeploy.node.resources.drains import Drain, Pair
from lbdeploy.operations.servers.names import State


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """What became of the server on a node. `open`: connections that its haproxy still has to it, by frontend.

    `changed`: it was not so before. `answers`: its haproxy runs; if not, it goes by the record when it starts.
    """

    node: Node
    changed: bool
    answers: bool
    records: tuple[Drain, ...]
    open: Mapping[Pair, int]

    @property
    def left(self) -> int:
        return sum(self.open.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerResult:
    """What was done about a server, on each node by name; `errors` has those on which it was not done.

    `frontend`: the one that was named, None for all. `closed`: open connections were to be closed. `waited`: how long
    (s) they were waited for, None for not at all.
    """

    server: str
    state: State
    frontends: tuple[str, ...]
    nodes: Mapping[str, NodeResult]
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)
    frontend: str | None = None
    waited: float | None = None
    closed: bool = False

    def typed(self, command: str, *options: str, before: str = "", after: str = "") -> Typed:
        """A command about the same server, behind the same frontends: others may be drained for other reasons."""
        named = ("--frontend", self.frontend) if self.frontend else ()
        return typed(command, self.server, *named, *options, before=before, after=after)

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(name for name, each in self.nodes.items() if each.changed)

    @property
    def left(self) -> dict[str, int]:
        """The open connections of each node that has any."""
        return {name: each.left for name, each in self.nodes.items() if each.left}

    @property
    def gave_up(self) -> bool:
        """Whether connections are left although they were waited for, or closed."""
        return bool(self.left) and (self.closed or self.waited is not None)

    @property
    def drain(self) -> Drain | None:
        """The record of the drain; that of the first node, where they differ."""
        return next((record for each in self.nodes.values() for record in each.records), None)

    def to_json(self) -> dict[str, object]:
        """The keys of the JSON document."""
        return {
            "server": self.server,
            "frontends": list(self.frontends),
            "drained": self.drain.to_json() if self.drain else None,
            "changed": list(self.changed),
            "nodes": [
                {
                    "node": name,
                    "haproxy_runs": each.answers,
                    "connections": [
                        {"frontend": frontend, "open": number} for (frontend, _), number in each.open.items()
                    ],
                }
                for name, each in self.nodes.items()
            ],
        }
