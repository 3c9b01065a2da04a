"""haproxy.cfg as haproxy reads it: words, sections, and what each section has from the defaults before it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lbdeploy.common.config_words import haproxy_arguments
from lbdeploy.node.haproxy_conf import HEADS
from lbdeploy.operations.adopt.reading.sources import FilePlace

PROXIES = ("frontend", "listen", "backend")
_State = Literal["yes", "no", "taken", "unknown"]  # of a condition, and what is between its lines
_UNITS = {"us": 0.000001, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 0.001}


@dataclass(frozen=True, slots=True)
class Directive:
    """A line of a section. `unread`: whether haproxy uses it depends on a condition that only haproxy can judge."""

    words: tuple[str, ...]
    place: FilePlace
    text: str
    unread: bool = False

    def begins(self, *words: str) -> bool:
        return self.words[: len(words)] == words


@dataclass(slots=True)
class Section:
    """A section; `defaults` are the lines of the section defaults that holds for it."""

    kind: str
    name: str
    head: Directive
    lines: list[Directive] = field(default_factory=list)
    defaults: Sequence[Directive] = ()
    order: int = 0  # in which haproxy reads the sections

    def last(self, *words: str) -> Directive | None:
        """The line that counts among those that begin with these words: the last of its own, or of its defaults."""
        for lines in (self.lines, self.defaults):
            if found := [each for each in lines if each.begins(*words)]:
                return found[-1]
        return None

    def own(self, *words: str) -> list[Directive]:
        """Its own lines that begin with these words."""
        return [each for each in self.lines if each.begins(*words)]

    @property
    def mode(self) -> str:
        line = self.last("mode")
        return line.words[1] if line and len(line.words) > 1 else "tcp"

    def has_option(self, name: str) -> bool:
        """Whether `option NAME` holds: what the section says counts before what its defaults say."""
        for lines in (self.lines, self.defaults):
            if found := [each for each in lines if each.begins("option", name) or each.begins("no", "option", name)]:
                return found[-1].words[0] == "option"
        return False


def parse(files: Mapping[str, str], environment: Mapping[str, str]) -> list[Section]:
    """The sections of the files, in the order in which haproxy reads them. No text makes it raise."""
    sections: list[Section] = []
    for line in _lines(files, environment):
        if line.words[0] in HEADS:
            name = line.words[1] if len(line.words) > 1 else ""
            kind = line.words[0]
            above = _defaults_for(line, sections)
            sections.append(Section(kind, name, line, _short_form(line), above, len(sections)))
        elif sections:
            sections[-1].lines.append(line)
    return sections


def _short_form(head: Directive) -> list[Directive]:
    """`listen NAME ADDRESS:PORT`, as haproxy 1.4 still had it, is a bind; newer ones refuse it."""
    extra = head.words[2:3] if head.words[0] in ("frontend", "listen") else ()
    return [Directive(("bind", extra[0]), head.place, head.text)] if extra and extra[0] != "from" else []


def _defaults_for(head: Directive, sections: Sequence[Section]) -> Sequence[Directive]:
    """Those that the head names with `from`, or else the last ones before it."""
    if head.words[0] not in (*PROXIES, "defaults"):
        return ()
    known = [each for each in sections if each.kind == "defaults"]
    if "from" in head.words[:-1]:
        name = head.words[head.words.index("from") + 1]
        known = [each for each in known if each.name == name]
    elif head.words[0] == "defaults":
        return ()  # an anonymous one begins afresh
    return [*known[-1].defaults, *known[-1].lines] if known else ()


def _lines(files: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[Directive]:
    known = dict(environment)
    for file, text in files.items():
        conditions: list[_State] = []
        for number, line in enumerate(text.splitlines(), 1):
            words = haproxy_arguments(line, known)
            if words and words[0].startswith("."):
                _condition(words, conditions, known)
            elif words and not {"no", "taken"}.intersection(conditions):
                _remember(words, known)
                yield Directive(words, FilePlace(file, number), line.strip(), unread="unknown" in conditions)


def _condition(words: Sequence[str], conditions: list[_State], known: Mapping[str, str]) -> None:
    """Follows .if, .elif, .else and .endif. "taken": a branch before this one was."""
    match words[0]:
        case ".if":
            conditions.append(_truth(" ".join(words[1:]), known))
        case ".else" | ".elif" if conditions:
            here: _State = "yes" if words[0] == ".else" else _truth(" ".join(words[1:]), known)
            after: dict[_State, _State] = {"yes": "taken", "taken": "taken", "unknown": "unknown", "no": here}
            conditions[-1] = after[conditions[-1]]
        case ".endif" if conditions:
            conditions.pop()


def _truth(text: str, known: Mapping[str, str]) -> _State:
    bare = text.lstrip("!").strip()
    defined = re.fullmatch(r"defined\((\w+)\)", bare)
    if defined:
        true = defined[1] in known
    elif bare in ("true", "false") or re.fullmatch(r"-?[0-9]{1,9}", bare) or not bare:
        true = bare not in ("", "false") and (bare == "true" or int(bare) != 0)
    else:
        return "unknown"
    return "yes" if true != text.startswith("!") else "no"


def _remember(words: Sequence[str], known: dict[str, str]) -> None:
    """Variables that the section global sets, for the lines after it."""
    match words:
        case ["setenv", name, value]:
            known[name] = value
        case ["presetenv", name, value]:
            known.setdefault(name, value)
        case ["unsetenv", *names]:
            for name in names:
                known.pop(name, None)


def seconds(text: str) -> float | None:
    """A time in haproxy's format, such as 10s or 5000, which is in milliseconds; None for what is none."""
    found = re.fullmatch(r"([0-9]{1,12})(us|ms|s|m|h|d|)", text)
    return int(found[1]) * _UNITS[found[2]] if found else None
