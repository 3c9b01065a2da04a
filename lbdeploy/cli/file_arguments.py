"""Several files after one -f: as the shell expands sites/*.toml, or as a quoted pattern."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from lbdeploy.cli.early_words import own

# The commands that take several files; they have no arguments of their own, or files.
SEVERAL = ("check", "plan", "up", "verify", "status")


def spread(words: Sequence[str], commands: Container[str]) -> list[str]:
    """The command line with an -f in front of each file: `-f a.toml b.toml plan` becomes `-f a.toml -f b.toml plan`.

    A word belongs to the -f before it if it looks like a file (.toml, or a slash), is no command, and stands before the
    command, or after one of those that take several. The first word after -f is a file, whatever it looks like.
    """
    ours = own(words)
    return [*_spread(ours, commands), *words[len(ours) :]]


def _spread(words: Sequence[str], commands: Container[str]) -> Iterator[str]:
    command, taking, rest = "", False, iter(words)
    for word in rest:
        if word in ("-f", "--file"):
            taking = True
            yield from _each(word, next(rest, None))
        elif taking and (not command or command in SEVERAL) and _is_file(word) and word not in commands:
            yield from _each("-f", word)
        else:
            taking = False
            command = command or (word if word in commands else "")
            yield word


def _is_file(word: str) -> bool:
    return not word.startswith("-") and (word.endswith(".toml") or "/" in word)


def _each(flag: str, word: str | None) -> Iterator[str]:
    """The flag with a file, or with each match of a pattern, by name; a pattern without a match stays as it is."""
    if word is None:
        yield flag
        return
    pattern = any(each in word for each in "*?[") and not Path(word).exists()
    for file in (pattern and _matches(word)) or [word]:
        yield from (flag, file)


def _matches(pattern: str) -> list[str]:
    import glob  # few file names are patterns

    return sorted(glob.glob(pattern))
