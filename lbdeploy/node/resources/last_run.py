"""What an earlier run left behind on a node that rebooted in the middle of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.debian import TRANSIENT_UNITS_FOLDER
from lbdeploy.common.shell import Raw
from lbdeploy.node.paths import JOURNAL, UNIT
from lbdeploy.node.resources.base import Answer, Change, Resource, Step


@dataclass(frozen=True, slots=True)
class JournalState:
    """The last run on a node: its id, who ran it, its last step.

    `ended`: or there was none; `active`: it runs now; `kept`: what it changed stays, although it watches its peers.
    """

    run: str = ""
    about: str = ""
    step: str = ""
    ended: bool = True
    active: bool = False
    kept: bool = False

    @property
    def undecided(self) -> bool:
        """Whether it is in the middle of a change that may still be undone."""
        return self.active and not (self.ended or self.kept)


def begun_meanwhile(found: JournalState, at_first: Answer, at_last: Answer) -> JournalState:
    """The last run; one that has begun while the node was looked at counts as being in the middle of its change.

    Such a look has half of that: files as they were before, and addresses as they are since (chaos seed 80053).
    """
    journal = at_last.output.strip()
    if journal == at_first.output.partition("\n")[2].strip():
        return found
    now = Journal().read(Answer(f"active\n{journal}", 0))
    if now.run == found.run and not found.ended:
        return found  # it was under way already
    return replace(now, ended=False, kept=False)


@dataclass(frozen=True, slots=True)
class Journal(Resource[JournalState]):
    """The last run has ended. If it was cut short, the next run cleans up first (remote/transaction.sh)."""

    unit: str = UNIT

    @property
    def id(self) -> str:
        return f"service {self.unit}"

    def probe(self) -> Raw:
        # What begins after this is found by a look at the journal when all else was looked at.
        unit = f"{self.unit}.service"
        active = f'echo "$([ -e {TRANSIENT_UNITS_FOLDER}/{unit} ] && systemctl is-active {unit})"'
        return Raw(f"{active}\ncat {JOURNAL}")

    def read(self, answer: Answer) -> JournalState:
        active, *lines = answer.output.splitlines() or [""]
        words = [line.partition(" ") for line in lines]
        last = {word: rest for word, _, rest in words}
        ended = "exit" in last or "run" not in last
        return JournalState(
            last.get("run", ""),
            last.get("about", ""),
            last.get("step", "begin"),
            ended,
            active in ("active", "activating", "deactivating"),
            "kept" in last and "undoing" not in last,
        )

    def compare(self, state: JournalState, changing: Collection[str]) -> list[Change]:
        if state.ended or state.active:
            return []
        return [Change("service", self.unit, "repair", f"was interrupted at: {state.step} (a run of {state.about})")]

    def steps(self, state: JournalState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        """No commands of its own: every applying script begins with that cleanup."""
        return iter(())

    def as_observed(self, state: JournalState) -> Journal:
        return self

    def former(self) -> list[Resource[Any]]:
        from lbdeploy.node.resources.observed import Observed

        return [Observed(self)]
