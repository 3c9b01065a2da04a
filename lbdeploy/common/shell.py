"""POSIX shell text. Building a command never runs it, and every argument is quoted unless it is marked as raw."""

from __future__ import annotations

import shlex


class Raw(str):
    """Shell text that goes into a command as it is: a redirection, a pipe, a variable."""

    __slots__ = ()


def cmd(*words: object) -> Raw:
    """One command made of these words, each quoted unless it is Raw."""
    return Raw(" ".join(word if isinstance(word, Raw) else shlex.quote(str(word)) for word in words))


def here(text: str) -> Raw:
    """The text as one quoted word, whatever it contains, newlines included."""
    return Raw(shlex.quote(text))
