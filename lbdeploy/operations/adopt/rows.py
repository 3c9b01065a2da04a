"""The table of `adopt`: each line of the nodes' files, with what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from lbdeploy.common.redact import hidden
from lbdeploy.operations.adopt.reading.sources import FilePlace

Verdict = Literal["kept", "equal", "changes", "ends"]
Meaning = tuple[Verdict, str]
UNREAD: Meaning = ("changes", "adopt can't tell what it means here; compare it with the plan")


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line, and what becomes of it: `verdict`, and in words where in hosts.toml it is, or what changes for whom."""

    nodes: tuple[str, ...]
    file: str
    line: int
    text: str
    verdict: Verdict
    meaning: str

    def to_json(self) -> dict[str, Any]:
        return {
            "nodes": list(self.nodes),
            "file": self.file,
            "line": self.line,
            "text": self.text,
            "verdict": self.verdict,
            "meaning": self.meaning,
        }


def row(node: str, place: FilePlace, text: str, meaning: Meaning) -> LineRow:
    """The row of a line, without secrets."""
    return LineRow((node,), place.file, place.line, hidden(text), *meaning)


def merged(rows: Iterable[LineRow]) -> list[LineRow]:
    """Lines that are the same on several nodes, and mean the same there, as one row, in the order of files."""
    found: dict[tuple[str, ...], LineRow] = {}
    for each in rows:
        key = (each.file, str(each.line), each.text, each.verdict, each.meaning)
        there = found.setdefault(key, each)
        if each.nodes[0] not in there.nodes:
            found[key] = replace(there, nodes=(*there.nodes, *each.nodes))
    files = list(dict.fromkeys(each.file for each in found.values()))
    return sorted(found.values(), key=lambda each: (files.index(each.file), each.line))
