"""Keys of hosts.toml in words: what is said of one, and how it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

Complaint = tuple[tuple[str, ...], str, str]  # key, what is the matter, what would be right


def near(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or all of them."""
    from difflib import get_close_matches

    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"did you mean {key_text(close[0])}?" if close else "known are: " + ", ".join(map(key_text, known))


def key_text(*parts: str) -> str:
    """A key as one writes it in the file: a part that is no bare key in quotes, on one line (toml.io, Keys)."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in parts)
