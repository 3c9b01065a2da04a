"""What `down` only looks at: what the daemons do now, and what the last run left behind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lbdeploy.common.shell import Raw
from lbdeploy.node.resources.base import Answer, Change, Former, Given, Resource, State, Step


@dataclass(frozen=True, slots=True)
class Observed(Former[State]):
    """A resource that `down` only observes: whatever its state, nothing about it has to change."""

    of: Resource[State]

    @property
    def id(self) -> str:
        return self.of.id

    @property
    def units(self) -> Sequence[str]:
        return self.of.units

    @property
    def files(self) -> Sequence[str]:
        return self.of.files

    @property
    def settings(self) -> Sequence[str]:
        return self.of.settings

    def probe(self) -> Raw:
        return self.of.probe()

    def read(self, answer: Answer) -> State:
        return self.of.read(answer)

    def compare(self, state: State, changing: Collection[str]) -> list[Change]:
        return []

    def given(self, changes: Sequence[Change]) -> Given:
        return self.of.given(())

    def steps(self, state: State, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        return iter(())
