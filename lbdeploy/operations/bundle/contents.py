"""What is in a bundle, and what could not be had. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lbdeploy.common.sanitize import safe_document, safe_text

_SAFE = re.compile(r"[A-Za-z0-9_@+:][A-Za-z0-9._@+:-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive. `text` is safe to show."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not in the archive, and why. `node` is None for what is this machine's, or the cluster's."""

    node: str | None
    what: str
    why: str

    def to_json(self) -> dict[str, object]:
        return {"node": self.node, "what": self.what, "why": safe_text(self.why)}


@dataclass(frozen=True, slots=True)
class Part:
    """What came of one place: a node, this machine, or the cluster as a whole."""

    entries: tuple[Entry, ...] = ()
    missing: tuple[Missing, ...] = ()


def plain(path: str, text: str) -> Entry:
    """A text, made safe to show."""
    shown = safe_text(text)
    return Entry(path, shown if shown.endswith("\n") or not shown else f"{shown}\n")


def document(path: str, value: Any) -> Entry:
    """A document, every text in it made safe to show."""
    return Entry(path, json.dumps(safe_document(value), indent=2, ensure_ascii=False) + "\n")


def is_safe(path: str) -> bool:
    """Whether a path, as a node says it, can be one below a folder of the archive, and of whoever unpacks it."""
    return len(path) < 200 and path.startswith("/") and all(_SAFE.fullmatch(part) for part in path[1:].split("/"))


def lines(missing: tuple[Missing, ...]) -> Iterator[str]:
    """What is missing, for people."""
    for each in missing:
        yield f"{f'{each.node}: ' if each.node else ''}{each.what}: {safe_text(each.why)}"
