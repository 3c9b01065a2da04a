"""What a resource is: one thing that a node should have, how to observe it, and how to apply it.

Observing and fixing are shell text that other modules join and run; reading and comparing are pure. So the same list
of resources is observed, compared, applied and observed again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from lbdeploy.common.shell import Raw

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe's command printed (text, with bytes that are not UTF-8 as surrogates), and its exit status."""

    output: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between what a node has and what it should have.

    `kind` is package, file, sysctl or service; `action` a verb (install, create, update, set, start, reload, ...);
    `reason` says in a few words what was found; `diff` is a unified diff, for files.
    """

    kind: str
    name: str
    action: str
    reason: str
    diff: str | None = None

    def to_json(self) -> dict[str, str]:
        """An entry of `changes` in the JSON contract, without the node."""
        entry = {"kind": self.kind, "name": self.name, "action": self.action, "reason": self.reason}
        return entry | ({"diff": self.diff} if self.diff is not None else {})


@runtime_checkable
class Resource(Protocol, Generic[State]):
    """One thing that a node should have. Frozen: what identifies it and the wanted state are its fields."""

    @property
    def id(self) -> str:
        """What identifies it among a node's resources, like `file /etc/haproxy/haproxy.cfg`."""

    def probe(self) -> Raw:
        """A command that prints the state; it changes nothing."""

    def read(self, answer: Answer) -> State:
        """The state, parsed from the probe's answer."""

    def compare(self, state: State, changing: Collection[str]) -> list[Change]:
        """What has to change; empty where all is as desired. `changing` names the files that this run will replace."""

    def fix(self, state: State, changes: list[Change]) -> Raw:
        """Commands that make the changes; they run under `set -e`."""
