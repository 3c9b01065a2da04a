"""Hints about keys of hosts.toml that are not known."""

from __future__ import annotations

from collections.abc import Iterable

from lbdeploy.errors import key_text


def near(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or all of them."""
    from difflib import get_close_matches

    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"did you mean {key_text(close[0])}?" if close else "known are: " + ", ".join(map(key_text, known))
