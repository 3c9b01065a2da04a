"""The events of a run. The code that does the work yields or emits them; only `report` draws them."""

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


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """A script was run on the node `who`: given to `command` over SSH, it ended after `seconds` with `status`.

    It contains no passwords, neither those that were sent nor those in the nodes' files. `output` is its beginning.
    `status` -1: the node did not report it, or the script is still running.
    """

    who: str
    command: str
    script: str
    output: str
    seconds: float
    status: int


Told = Step | Done | Note  # shown to people
Event = Told | RemoteCommand


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text, lines of at most `limit` characters together, and how much is left out.

    No line is cut: its end may be what tells that there is a secret in it, as in a URL, or by the name of a program.
    """
    if len(text) <= limit:
        return text
    end = text.rfind("\n", 0, limit) + 1
    return f"{text[:end]}... {len(text) - end} characters more"


Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """An Emit that ignores events."""
