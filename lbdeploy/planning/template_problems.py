"""What is wrong in templates, as problems with a place; those of several templates in one error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lbdeploy.common.redact import holds_password
from lbdeploy.common.typed import typed
from lbdeploy.errors import Problem, RenderError


def problem(path: Path, line: int, message: str, fix: str) -> Problem:
    """A problem of a template, with the line that it is in, unless that holds a password."""
    source = _line(path, line)
    if not source.strip() or holds_password(source):
        return Problem("template", (), message, fix, line, file=str(path))
    column, width = _marked(source, message)
    return Problem("template", (), message, fix, line, column, width, source, str(path))


def _line(path: Path, line: int) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _marked(source: str, message: str) -> tuple[int, int]:
    """The column and width of the last word that the message quotes and the line has; jinja tells only the line."""
    for word in reversed(re.findall(r"'([^']+)'", message)):
        found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", source)
        if found:
            return found.start() + 1, len(word)
    text = source.strip()
    return source.index(text) + 1, len(text)


def all_in_one(errors: Iterable[RenderError], nodes: int) -> RenderError:
    """One error with the problems of all; what is wrong on several nodes is one problem.

    `nodes`: how many there are. What not all of them have is told with the names of those that do.
    """
    found: dict[Problem, list[str]] = {}
    first, *rest = errors
    for each in (first, *rest):
        for one in each.problems or (Problem("template", (), each.message, each.fix or ""),):
            names = found.setdefault(one, [])
            names += [each.node] if each.node and each.node not in names else []
    if len(found) == 1:
        return first
    return RenderError(
        f"the templates have {len(found)} problems",
        node=None,
        state=first.state,
        fix=typed("check", before="correct the lines that are named, then: "),
        problems=[_on(one, names, nodes) for one, names in found.items()],
    )


def _on(one: Problem, names: list[str], nodes: int) -> Problem:
    from dataclasses import replace

    some = 0 < len(names) < nodes
    return replace(one, message=f"{one.message} (on {', '.join(names)})") if some else one
