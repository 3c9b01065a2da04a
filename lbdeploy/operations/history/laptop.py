"""What was done from this machine: the logs of commands that act on the cluster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lbdeploy.operations.history import endings

ACTING = ("up", "rollback", "rebuild", "handover", "drill", "drain", "undrain", "down")
_BEGAN = re.compile(r", (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})$")
_LINE = re.compile(r"^(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)\.(?P<ms>\d{3}) (?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class LoggedCommand:
    """A command, as its log tells of it. `ended` is what is known of its end: see `endings`; `until`, its last line.

    `in_lab`: it was a rehearsal, and did nothing to the real nodes.
    """

    at: float
    until: float
    process: int
    command: str
    typed: str
    ended: Mapping[str, Any] = field(default_factory=dict)
    in_lab: bool = False


def sessions(paths: Sequence[Path], *, in_lab: bool = False) -> list[LoggedCommand]:
    """Those of commands that act, on the real nodes or in the lab; what can't be read, or is no log, is passed over."""
    found = []
    for path in paths:
        with suppress(OSError, ValueError, IndexError):
            session = read(path.read_text(encoding="utf-8", errors="replace"), _process(path))
            found += [session] if session.command in ACTING and session.in_lab == in_lab else []
    return sorted(found, key=lambda each: each.at)


def read(text: str, process: int) -> LoggedCommand:
    """A log. Raises ValueError and IndexError for a text that is none."""
    head, typed, _, *lines = text.splitlines()
    began = _BEGAN.search(head)
    if not began:
        raise ValueError(head)
    at = datetime.strptime(began["at"], "%Y-%m-%d %H:%M:%S %z")
    told = [found for each in lines if (found := _LINE.match(each))]
    ended = next((endings.read(each["text"]) for each in reversed(told) if each["text"].startswith(endings.MARK)), {})
    until = _after(at, told[-1]) if told else at
    words = ["lbdeploy", *shlex.split(typed)[1:]]
    command = str(ended.get("command") or next((word for word in words if word in (*ACTING, "lab")), ""))
    return LoggedCommand(
        at.timestamp(), until.timestamp(), process, command, shlex.join(words), ended, in_lab="--lab" in words
    )


def _after(began: datetime, line: re.Match[str]) -> datetime:
    """When a line was written, whose date is not told: after the beginning, and less than a day later."""
    hour, minute, second, milliseconds = (int(line[part]) for part in ("h", "m", "s", "ms"))
    at = began.replace(hour=hour, minute=minute, second=second, microsecond=milliseconds * 1000)
    return at if at >= began else at + timedelta(days=1)


def _process(path: Path) -> int:
    """The number in a log's name. Raises ValueError where it has none, as that of a crash."""
    return int(path.stem.rpartition("-")[2])


def changes(ended: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(node, what was done there), as far as what was kept makes sense."""
    for each in ended.get("changes", ()):
        if isinstance(each, list) and len(each) == 2:
            yield str(each[0]), str(each[1])
