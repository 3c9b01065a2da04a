"""Something that has happened to a cluster, and all of it together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lbdeploy.errors import LbdeployError


@dataclass(frozen=True, slots=True)
class PastEvent:
    """Something that has happened. `kind` is a command, or move; `who` typed `typed`, "" where that is not known.

    `changed`: (node, what). `ended`: what was kept of the command's document. `to` took the VIPs over from `former`.
    `id`: of a run, as `rollback --to` takes it. `during`: the command in whose course a move fell.
    """

    at: float
    kind: str
    who: str = ""
    typed: str = ""
    nodes: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    ended: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    to: str = ""
    former: str = ""
    during: str = ""
    until: float = 0.0
    moves: int = 0

    def to_json(self) -> dict[str, object]:
        """An entry of `events`: without what is not known."""
        when = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        changed = [{"node": node, "what": what} for node, what in self.changed]
        cost = {key: self.ended[key] for key in ("exit_code", "outage_ms", "expected_ms", "error") if key in self.ended}
        known = {"who": self.who, "command": self.typed, "run": self.id, "during": self.during}
        move = {"from": self.former or None, "to": self.to} if self.kind == "move" else {"moves": self.moves}
        told = {key: value for key, value in known.items() if value}
        return {"at": when, "kind": self.kind, "nodes": list(self.nodes), "changed": changed, **told, **move, **cost}


@dataclass(frozen=True, slots=True)
class History:
    """The events, the earliest first; `errors` has the nodes that could not be asked."""

    cluster: str
    events: tuple[PastEvent, ...]
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {"events": [each.to_json() for each in self.events], "unreached": list(self.errors)}
