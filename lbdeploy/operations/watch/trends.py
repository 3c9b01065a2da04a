"""How a cluster went while it was watched: what has changed, the latest first, and numbers over time. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lbdeploy.operations.status import Snapshot, Status
from lbdeploy.operations.watch.facts import Fact, Key, Kind, facts

KEPT = 200  # changes, and values of each number: at one look every two seconds, more than six minutes
EARLIER = 5.0  # seconds by which an age must have become less for the same state to be a new one


@dataclass(frozen=True, slots=True)
class SeenChange:
    """Something that became so, `at` that time of this machine's (s, Unix)."""

    at: float
    text: str
    kind: Kind = ""


class Trends:
    """Takes note of one look after another."""

    def __init__(self) -> None:
        self._facts: dict[Key, tuple[Fact, float]] = {}  # with the time at which each became so
        self._changes: deque[SeenChange] = deque(maxlen=KEPT)
        self._values: dict[Key, deque[int | None]] = {}
        self._begun = False

    @property
    def changes(self) -> list[SeenChange]:
        """The latest first."""
        return sorted(self._changes, key=lambda each: each.at, reverse=True)

    def values(self, *key: str) -> Sequence[int | None]:
        """A number at each look, the latest last: ("rate", node) or ("sessions", frontend, server). None: unknown."""
        return tuple(self._values.get(key, ()))

    def note(self, status: Status, now: float) -> None:
        """Take note of a look at the cluster."""
        for key, fact in facts(status).items():
            self._note(key, fact, now)
        self._count(status)
        self._begun = True

    def _note(self, key: Key, fact: Fact, now: float) -> None:
        since = now if fact.age is None else now - fact.age
        old = self._facts.get(key)
        if old and old[0].text == fact.text and (fact.age is None or since - old[1] < EARLIER):
            return
        self._facts[key] = fact, since
        if self._news(key, fact, known=old is not None):
            self._changes.append(SeenChange(since, fact.text, fact.kind))

    def _news(self, key: Key, fact: Fact, *, known: bool) -> bool:
        """At the beginning, only that of which the node says since when, and nodes that do not answer."""
        return known or self._begun or fact.age is not None or (key[0] == "reach" and fact.kind == "bad")

    def _count(self, status: Status) -> None:
        numbers = dict(_numbers(status))
        for key in self._values.keys() | numbers.keys():
            self._values.setdefault(key, deque(maxlen=KEPT)).append(numbers.get(key))


def _numbers(status: Status) -> Iterator[tuple[Key, int]]:
    for name, snapshot in status.nodes.items():
        yield ("rate", name), sum(load.rate for load in snapshot.loads)
    for frontend, server in status.cluster.servers():
        found = [_sessions(each, frontend.name, server.name) for each in status.nodes.values()]
        if counted := [each for each in found if each is not None]:
            yield ("sessions", frontend.name, server.name), sum(counted)


def _sessions(snapshot: Snapshot, frontend: str, server: str) -> int | None:
    found = (each.sessions for each in snapshot.seen.servers if (each.frontend, each.server) == (frontend, server))
    return next(found, None)
