"""Readers of a node's answers, which may be anything: an answer that can't be read becomes that node's error.

Readers are written for answers that make sense, and raise what Python raises for others. `understood` calls them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TypeVar

from lbdeploy.common.sanitize import safe_text
from lbdeploy.errors import AnswerError
from lbdeploy.events import excerpt

A = TypeVar("A")
T = TypeVar("T")

UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
SHOWN, KEPT = 60, 4000  # characters of an answer that are shown in the message, and kept for the log
_SECONDS = re.compile(r"[0-9]{1,11}(?:[.,][0-9]{1,9})?")


def understood(node: str, what: str, read: Callable[[A], T], answer: A, text: str | None = None) -> T:
    """What `read` makes of a node's answer to the question `what`. Raises AnswerError where that makes no sense.

    `text`: the answer as text, where it is not that itself.
    """
    try:
        return read(answer)
    except UNREADABLE as error:
        raise unreadable(node, what, str(answer) if text is None else text, error) from error


def unreadable(node: str, what: str, text: str, why: Exception | None = None) -> AnswerError:
    """The error for an answer that makes no sense."""
    short = " ".join(safe_text(text[:KEPT]).split())
    because = f"{type(why).__name__}: {why}\n" if why else ""
    return AnswerError(
        f"what it answered can't be read ({what}): {excerpt_line(short) or 'nothing'}",
        node=node,
        state="looking changes nothing",
        fix="lbdeploy -v verify shows more of it; then see on the node why it answers so",
        detail=f"{because}{excerpt(text, KEPT)}",
    )


def excerpt_line(text: str) -> str:
    """The beginning of a line, in quotes."""
    return f'"{text[:SHOWN]}{"..." if len(text) > SHOWN else ""}"' if text else ""


def seconds(text: str) -> float:
    """A time (s, Unix) or a duration, as `date`, `stat` and others print it in any locale. Raises ValueError."""
    if not _SECONDS.fullmatch(text.strip()):
        raise ValueError(f"not a number of seconds: {text[:SHOWN]!r}")
    return float(text.strip().replace(",", "."))


def count(text: str) -> int:
    """A whole number, as the kernel counts. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
        raise ValueError(f"not a whole number: {text[:SHOWN]!r}")
    return int(text)


def base64_text(text: str) -> str:
    """What base64 stands for, as text, with bytes that are not UTF-8 as surrogates. Raises ValueError."""
    return base64.b64decode(text, validate=True).decode(errors="surrogateescape")
