"""POSIX shell text. Building a command never runs it, and every argument is quoted unless it is marked as raw."""

from __future__ import annotations

import os
import shlex


class Raw(str):
    """Shell text that goes into a command as it is: a redirection, a pipe, a variable."""

    __slots__ = ()


class Command(Raw):
    """One command, which leaves the shell that runs it as it is: no directory, option or variable of it changes."""

    __slots__ = ()


def cmd(*words: object) -> Command:
    """One command made of these words, each quoted unless it is Raw."""
    return Command(" ".join(word if isinstance(word, Raw) else shlex.quote(str(word)) for word in words))


def here(text: str) -> Raw:
    """The text as one quoted word, whatever it contains, newlines included."""
    return Raw(shlex.quote(text))


def nonce() -> str:
    """16 hexadecimal digits that nobody can guess, for a mark that nothing else can be taken for.

    As `secrets.token_hex`, which imports the generators of random numbers first: 0.8 ms.
    """
    return os.urandom(8).hex()
