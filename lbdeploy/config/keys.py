"""Keys of hosts.toml in messages: complaints about a key, hints, and how it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

Complaint = tuple[tuple[str, ...], str, str]  # key, message, fix


def near(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or all of them."""
    from difflib import get_close_matches

    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"did you mean {key_text(close[0])}?" if close else "known are: " + ", ".join(map(key_text, known))


def key_text(*parts: str) -> str:
    """A key as it is written in the file: a part that is not a bare key is quoted, on one line (toml.io, Keys)."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in parts)
