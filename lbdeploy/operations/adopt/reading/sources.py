"""The files of a node, and the names that it resolves: what a parser asks for, and what is still to be asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lbdeploy.config.model import Address


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A line of a file, from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that a pattern stands for, by pattern, each with its text.

    A pattern that was not asked for yet is added to `missing`: who reads the node asks for it, and parses again.
    """

    found: dict[str, Mapping[str, str]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def add(self, files: Mapping[str, Mapping[str, str]]) -> None:
        """Files that were read, by the pattern that they were asked for with."""
        self.found.update(files)
        self.missing.difference_update(files)

    def files(self, pattern: str) -> Mapping[str, str]:
        """The files that a pattern stands for, in the order of their names."""
        for each in braces(pattern):
            if each not in self.found:
                self.missing.add(each)
        return {path: text for each in braces(pattern) for path, text in self.found.get(each, {}).items()}

    def file(self, path: str) -> str | None:
        """The text of one file; None where there is none."""
        return self.files(path).get(path)


@dataclass(frozen=True, slots=True)
class HostNames:
    """The addresses of names, as the node resolves them; None for a name that has none. `missing`: as in Sources."""

    found: dict[str, Address | None] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def add(self, addresses: Mapping[str, Address | None]) -> None:
        self.found.update(addresses)
        self.missing.difference_update(addresses)

    def address(self, name: str) -> Address | None:
        if name not in self.found and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}", name):
            self.missing.add(name)
        return self.found.get(name)


def braces(pattern: str) -> Iterator[str]:
    """The patterns without braces that one with braces stands for, as csh has it: `a{b,c}` is `ab` and `ac`."""
    group = next((found for found in _groups(pattern) if len(found[1]) > 1), None)
    if group is None:
        yield pattern
        return
    start, words, end = group
    for each in words:
        yield from braces(pattern[:start] + each + pattern[end:])


def _groups(pattern: str) -> Iterator[tuple[int, list[str], int]]:
    """Each pair of braces: where it begins, its words, where it ends; an outer one before those within it."""
    for start in (at for at, character in enumerate(pattern) if character == "{"):
        depth, words = 0, [""]
        for end, character in enumerate(pattern[start:], start):
            depth += {"{": 1, "}": -1}.get(character, 0)
            if not depth:
                yield start, words, end + 1
                break
            if character == "," and depth == 1:
                words.append("")
            elif end > start:
                words[-1] += character
