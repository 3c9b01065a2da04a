"""keepalived.conf as keepalived reads it: includes, definitions, conditional lines, blocks. Pure.

See lib/parser.c of keepalived 2.3, and keepalived.conf(5): "Conditional configuration and configuration id",
"Substitutions and definitions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from posixpath import dirname, join

from lbdeploy.common.config_words import haproxy_words, keepalived_words
from lbdeploy.operations.adopt.reading.sources import FilePlace, Sources

DEEPEST = 20  # files that include each other, and blocks within blocks
_LONGEST = 50_000  # lines, with those that were included: a file may include itself
_INCLUDES = ("include", "includer", "includem", "includew", "includeb", "includea")
_DEFINITION = re.compile(r"\s*\$(\w+)\s*=(.*)$", re.DOTALL)
_USE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ALWAYS = {"_HASH": "#", "_BANG": "!"}
_REPEATED = re.compile(r"~(?:SEQ|LST)\(")


@dataclass(frozen=True, slots=True)
class ConfEntry:
    """A line, or a block with the lines in it. `unread`: what it means can't be told without keepalived itself.

    `meant` is the line that it is in, without comments and definitions.
    """

    words: tuple[str, ...]
    place: FilePlace
    text: str
    block: tuple[ConfEntry, ...] | None = None
    unread: bool = False
    meant: str = ""

    @property
    def key(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def value(self) -> str:
        return " ".join(self.words[1:])

    @property
    def script_words(self) -> tuple[str, ...]:
        """The words after the keyword as keepalived has them where a script is named: a command, its user and group.

        There, single quotes count too, and escapes do.
        """
        words = [word for word, _ in haproxy_words(self.meant)]
        if self.key not in words:
            return self.words[1:]
        return tuple(takewhile(lambda word: word != "}", words[words.index(self.key) + 1 :]))

    def inside(self, *keys: str) -> tuple[ConfEntry, ...]:
        """The lines of the blocks of this block that have one of these names."""
        return tuple(each for block in self.block or () if block.key in keys for each in block.block or ())

    def last(self, key: str) -> ConfEntry | None:
        """The last line of this name in this block: the one that counts."""
        found = [each for each in self.block or () if each.key == key and each.block is None]
        return found[-1] if found else None

    def get(self, key: str) -> str | None:
        """The value of that line. None where there is none."""
        line = self.last(key)
        return line.value if line else None

    def has(self, key: str) -> bool:
        return any(each.key == key for each in self.block or ())


@dataclass(slots=True)
class _Reading:
    """What is known while the files are read, line by line."""

    sources: Sources
    config_id: str
    definitions: dict[str, str] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Line:
    place: FilePlace
    text: str  # as it is in the file, for people
    meant: str  # what is left of it without comments and definitions


def parse(sources: Sources, path: str, config_id: str) -> tuple[ConfEntry, ...]:
    """What keepalived reads from this file, or these files. No text makes it raise."""
    reading = _Reading(sources, config_id)
    lines = [line for file, text in sources.files(path).items() for line in _lines(reading, file, text, 0)]
    return _blocks(lines)


def _lines(reading: _Reading, file: str, text: str, depth: int) -> Iterator[_Line]:
    """The lines that count, with those of the files that are included."""
    for place, line in _joined(file, text):
        reading.count += 1
        if depth > DEEPEST or reading.count > _LONGEST:
            return
        meant = _conditional(_decommented(line), reading.config_id)
        if definition := _DEFINITION.match(meant):
            reading.definitions[definition[1]] = _defined(definition[2])
        elif meant.strip():
            yield from _expanded(reading, _Line(place, line.strip(), meant), depth)


def _expanded(reading: _Reading, line: _Line, depth: int) -> Iterator[_Line]:
    """A line with its definitions replaced, each by one or more lines; and what it includes."""
    here = dirname(line.place.file)
    known = _ALWAYS | reading.definitions | {"_PWD": here}
    for meant in _USE.sub(lambda use: known.get(use[1] or use[2], use[0]), line.meant).split("\n"):
        words = [word for word, _ in keepalived_words(meant)]
        if len(words) > 1 and words[0] in _INCLUDES:
            for path, text in reading.sources.files(join(here, words[1])).items():
                yield from _lines(reading, path, text, depth + 1)
        elif words:
            yield _Line(line.place, line.text, meant)


def _joined(file: str, text: str) -> Iterator[tuple[FilePlace, str]]:
    """The lines; a definition whose line ends in a backslash goes on in the next one."""
    begun: tuple[FilePlace, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        place, whole = (begun[0], f"{begun[1]}\n{line.strip()}") if begun else (FilePlace(file, number), line)
        begun = None
        if whole.rstrip().endswith("\\") and "$" in whole.partition("=")[0]:
            begun = place, whole.rstrip()[:-1].rstrip()
        else:
            yield place, whole
    if begun:
        yield begun


def _decommented(line: str) -> str:
    """The line without a comment, which begins with # or !, except between double quotes."""
    found = re.match(r'(?:[^"#!]|"[^"]*(?:"|$))*', line)
    return found[0] if found else ""


def _conditional(line: str, config_id: str) -> str:
    """What a line with @ID before it means on this node: itself, or nothing."""
    found = re.match(r"\s*@(\^?)(\S*)(.*)", line, re.DOTALL)
    if not found:
        return line
    return found[3] if (found[2] == config_id) != bool(found[1]) else ""


def _defined(value: str) -> str:
    """A definition's value, of several lines where these ended in a backslash."""
    return "\n".join(each.strip() for each in value.split("\n"))


def _blocks(lines: Sequence[_Line]) -> tuple[ConfEntry, ...]:
    """The lines as blocks. An opening brace belongs to the words before it, which may be on the line before."""
    levels: list[list[ConfEntry]] = [[]]
    heads: list[ConfEntry] = []
    for line in lines:
        for words in _pieces(line.meant):
            if words == ["{"]:
                if len(heads) == DEEPEST:
                    return _closed(levels, heads)
                heads.append(levels[-1].pop() if levels[-1] else ConfEntry((), line.place, line.text))
                levels.append([])
            elif words != ["}"]:
                unread = bool(_REPEATED.search(line.meant) or _USE.search(line.meant))
                levels[-1].append(ConfEntry(tuple(words), line.place, line.text, unread=unread, meant=line.meant))
            elif heads:
                _close(levels, heads)
    return _closed(levels, heads)


def _close(levels: list[list[ConfEntry]], heads: list[ConfEntry]) -> None:
    head, inside = heads.pop(), levels.pop()
    levels[-1].append(ConfEntry(head.words, head.place, head.text, tuple(inside), head.unread))


def _closed(levels: list[list[ConfEntry]], heads: list[ConfEntry]) -> tuple[ConfEntry, ...]:
    """All blocks, also those that the file does not close."""
    while heads:
        _close(levels, heads)
    return tuple(levels[0])


def _pieces(line: str) -> Iterator[list[str]]:
    """The words of a line, with each brace by itself."""
    words: list[str] = []
    for word, begin in keepalived_words(line):
        for part in [word] if line[begin] == '"' else re.findall(r"[{}]|[^{}]+", word):
            if part in ("{", "}") and line[begin] != '"':
                yield from [words] if words else []
                yield [part]
                words = []
            else:
                words.append(part)
    yield from [words] if words else []


def every(entries: Sequence[ConfEntry]) -> Iterator[tuple[tuple[ConfEntry, ...], ConfEntry]]:
    """Each line and block, with the blocks around it."""
    for entry in entries:
        yield (), entry
        for around, inner in every(entry.block or ()):
            yield (entry, *around), inner
