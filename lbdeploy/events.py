"""What happens during a run, told to whoever watches. The work yields or emits these; only `report` draws them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lbdeploy.shell import here, remote_text


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
class Wire:
    """A script was run on the node `who`: given to `command` over SSH, it ended after `seconds` with `status`.

    Passwords are no part of it, neither those that it was given nor those of the nodes' files.
    `status` -1: it was not told, or the script goes on.
    """

    who: str
    command: str
    script: str
    output: str
    seconds: float
    status: int

    @property
    def plain(self) -> str:
        """The script without what differs each time, and what comes with lbdeploy: what is left is its point."""
        script = self.script
        for text, name in _shipped().items():
            script = script.replace(text, name)
        return re.sub(r"\b[0-9a-f]{16}\b", "NONCE", script)


@cache
def _shipped() -> dict[str, str]:
    """What is shown of the scripts that come with lbdeploy, and of its programs for perl, which are words: by text."""
    folder = Path(__file__).parent / "remote"
    scripts = {remote_text(path.name): f"# ... lbdeploy/remote/{path.name}\n" for path in folder.glob("*.sh")}
    return scripts | {here(remote_text(path.name)): f"lbdeploy/remote/{path.name}" for path in folder.glob("*.pl")}


Told = Step | Done | Note  # for people
Event = Told | Wire


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text, and how much is left out."""
    return text if len(text) <= limit else f"{text[:limit]}\n... {len(text) - limit} characters more"


Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """An Emit that tells nobody."""
