"""Unified diffs, with passwords hidden."""

from __future__ import annotations

from lbdeploy.common.redact import hidden


def difference(path: str, old: str, new: str) -> str:
    """The diff from `old` to `new`, two contents of a file; "" stands for a file that does not exist."""
    from difflib import unified_diff

    names = ("a" + path if old else "/dev/null", "b" + path if new else "/dev/null")
    lines = unified_diff(_lines(old), _lines(new), *names)
    return hidden("".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines))


def _lines(text: str) -> list[str]:
    # Not str.splitlines, which also splits at form feeds and the like.
    *whole, last = text.split("\n")
    return [line + "\n" for line in whole] + ([last] if last else [])
