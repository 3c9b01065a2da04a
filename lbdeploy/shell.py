"""POSIX shell text. Building a command never runs it, and every argument is quoted unless it is marked as raw."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path


class Raw(str):
    """Shell text that goes into a command as it is: a redirection, a pipe, a variable."""

    __slots__ = ()


def cmd(*words: object) -> Raw:
    """One command of these words: each quoted, but for Raw ones."""
    return Raw(" ".join(word if isinstance(word, Raw) else shlex.quote(str(word)) for word in words))


def here(text: str) -> Raw:
    """The text as one word, whatever it holds; newlines included."""
    return Raw(shlex.quote(text))


@cache
def remote_text(name: str) -> str:
    """One of the programs that nodes run, which lie in lbdeploy/remote/."""
    return (Path(__file__).parent / "remote" / name).read_text(encoding="utf-8")
