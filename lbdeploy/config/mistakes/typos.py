"""One typo is one problem: what is reported only because a key or table is misspelt is left out. Pure.

A misspelt key makes another one be missing, and a misspelt table makes whatever refers to it be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lbdeploy.config.keys import near
from lbdeploy.config.schema import NAMED, SECTIONS, SINGLE
from lbdeploy.errors import Problem, key_text

Key = tuple[str, ...]
UNKNOWN = ("unknown-table", "unknown-key", "extra_forbidden")
MISSING = ("missing", "no-address")
# What else is said where a whole section is absent.
ABSENT = {
    "networks": ("no-network", "no-address", "unknown-key", "no-vip"),
    "nodes": ("one-node",),
    "frontends": (),
}


@dataclass(frozen=True, slots=True)
class Typo:
    """A key that is not known, and what it certainly should be: that is missing, and nothing else is like it."""

    key: Key
    meant: str


def distinct(problems: Sequence[Problem], data: dict[str, Any]) -> list[Problem]:
    """The problems, without those that are others' consequences, and each once."""
    unknown = {each.parts for each in problems if each.rule in UNKNOWN}
    rest = [each for each in problems if each.rule in UNKNOWN or each.parts not in unknown]
    for header, told in list(_headless(rest)):
        rest = [header, *(each for each in rest if each.parts not in told)]
    for typo in typos(rest, data):
        rest = [each for each in rest if not _follows(each, typo, data)]
    return list({(each.parts, _kind(each)): each for each in reversed(rest)}.values())[::-1]


def typos(problems: Sequence[Problem], data: dict[str, Any]) -> list[Typo]:
    """The keys and tables that are misspelt."""
    found = []
    for unknown in (each for each in problems if each.rule in UNKNOWN):
        around, name = unknown.parts[:-1], unknown.parts[-1]
        missing = [each for each in _missing(problems, around) if not _has(data, (*around, each))]
        present = [each for each in SECTIONS if not around and _has(data, (each,)) and each in NAMED]
        if close := get_close_matches(name, [*missing, *present], 1):
            found.append(Typo(unknown.parts, close[0]))
    return found


def _missing(problems: Sequence[Problem], around: Key) -> Iterator[str]:
    """The names that are reported as missing in a table."""
    for each in problems:
        if each.rule == "missing" and each.parts[:-1] == around:
            yield each.parts[-1]
        elif each.rule == "no-address" and each.parts == around:
            yield each.message.rpartition(" ")[2].strip('"')


def _follows(problem: Problem, typo: Typo, data: dict[str, Any]) -> bool:
    """Whether a problem is there because of the typo alone."""
    around, meant = typo.key[:-1], typo.meant
    if problem.rule in MISSING and problem.parts == (*around, meant):
        return True
    if problem.rule == "no-address" and problem.parts == around and problem.message.endswith(f" {key_text(meant)}"):
        return True
    if around or problem.rule not in ABSENT.get(meant, ()):
        return False
    below = data[typo.key[0]]
    return problem.rule != "unknown-key" or (isinstance(below, dict) and problem.parts[-1] in below)


def _headless(problems: Sequence[Problem]) -> Iterator[tuple[Problem, set[Key]]]:
    """Keys below another table's header, since their own is missing; with the keys of what is said because of that."""
    unknown = [each for each in problems if each.rule in UNKNOWN and len(each.parts) > 1]
    for lost in (each.parts[0] for each in problems if each.rule == "missing" and len(each.parts) == 1):
        fields = SINGLE[lost].model_fields if lost in SINGLE else {}
        own = list(dict.fromkeys(each.parts for each in unknown if each.parts[-1] in fields))
        if len(own) > 1:
            words, fix = f"a key of [{lost}], which has no header", f"write a line [{lost}] above it"
            yield Problem("no-header", own[0], words, fix), {*own, (lost,)}


def _has(data: Any, key: Key) -> bool:
    for part in key:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _kind(problem: Problem) -> str:
    return "unknown" if problem.rule in UNKNOWN else problem.rule + problem.message


def where_to(name: str, known: Iterable[str]) -> str:
    """A hint for a key that is not one of `known`: the nearest of these, tables that have such a key, or all."""
    hint = near(name, known)
    single = [f"[{each}]" for each, kind in SINGLE.items() if name in kind.model_fields]
    homes = [*single, *(f"[{each}.NAME]" for each, kind in NAMED.items() if name in kind.model_fields)]
    return hint if hint.startswith("did") or not homes else f"it is a key of {' or '.join(homes)}"
