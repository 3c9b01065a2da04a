"""Advice that is a command of lbdeploy's: words for people, and the same command for programs."""

from __future__ import annotations

import shlex
from typing import Self


class Typed(str):
    """A text with one command of lbdeploy's in it. `words` are that command, as a program would start it.

    A text: so whoever only shows advice need not know which of it is a command. One that is put together with others is
    a plain text, since it is no longer sure which command is meant.
    """

    words: tuple[str, ...]

    def __new__(cls, text: str, words: tuple[str, ...] = ()) -> Self:
        made = super().__new__(cls, text)
        made.words = words
        return made


def typed(*words: str, before: str = "", after: str = "") -> Typed:
    """The command of lbdeploy with these words, and what is said before and after it."""
    command = ("lbdeploy", *words)
    return Typed(f"{before}{shlex.join(command)}{after}", command)


def as_data(fix: str | None) -> dict[str, object]:
    """The keys of a document that advice has: `fix`, and `fix_command` where it is a command."""
    command = {"fix_command": list(fix.words)} if isinstance(fix, Typed) else {}
    return {"fix": fix, **command} if fix else {}
