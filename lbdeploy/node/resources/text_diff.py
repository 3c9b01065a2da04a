"""Unified diffs, with secrets hidden."""

from __future__ import annotations

from lbdeploy.common.redact import hidden, is_program

LONGEST = 400_000  # characters that are compared at most: the time grows with their square


def difference(path: str, old: str, new: str, *, own: bool = False) -> str:
    """The diff from `old` to `new`, two contents of a file; "" stands for a file that does not exist.

    What programs contain is not shown, unless they are lbdeploy's `own`.
    """
    from difflib import unified_diff

    names = ("a" + path if old else "/dev/null", "b" + path if new else "/dev/null")
    why = "which may hold a secret" if not own and (is_program(old) or is_program(new)) else ""
    why = "too many to compare" if max(len(old), len(new)) > LONGEST else why
    if why:
        return "".join((f"--- {names[0]}\n", f"+++ {names[1]}\n", *_size("-", old, why), *_size("+", new, why)))
    lines = unified_diff(_lines(old), _lines(new), *names)
    return hidden("".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines))


def digests(path: str, old: str, new: str) -> str:
    """As `difference`, of contents that are secrets: only that they are not the same."""
    sides = (("-", "a" + path, old), ("+", "b" + path, new))
    heads = [f"{sign * 3} {name if content else '/dev/null'}\n" for sign, name, content in sides]
    return "".join((*heads, *(f"{sign}({not_shown(content)})\n" for sign, _, content in sides if content)))


def not_shown(secret: str) -> str:
    """What is said of a secret: enough to see whether two are the same."""
    from hashlib import sha256

    return f"a secret, whose SHA-256 begins with {sha256(secret.encode()).hexdigest()[:8]}"


def _size(sign: str, content: str, why: str) -> list[str]:
    """The size of a content that is not shown."""
    return [f"{sign}({len(_lines(content))} lines, {why})\n"] if content else []


def _lines(text: str) -> list[str]:
    # Not str.splitlines, which also splits at form feeds and the like.
    *whole, last = text.split("\n")
    return [line + "\n" for line in whole] + ([last] if last else [])
