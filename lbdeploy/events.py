"""What happens during a run, told to whoever watches. The work yields or emits these; only `report` draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """`who` (a node, or a part of the lab) has begun a step; it lasts until the next Step or Done of the same one."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """`who` has ended its work. `ok` False: it failed, and an error that says why is on its way."""

    who: str
    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Note:
    """Something the operator should know, about a node or (None) about the whole run."""

    who: str | None
    text: str


Event = Step | Done | Note
Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """An Emit that tells nobody."""
