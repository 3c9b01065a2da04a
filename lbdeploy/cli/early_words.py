"""What is known of a command line before it is read: whose words they are, and what a program wants to be printed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lbdeploy.cli.app import App


def own(words: Sequence[str]) -> Sequence[str]:
    """The words that lbdeploy reads: what `lab exec NODE` runs is none of its business, nor is what follows --."""
    names: list[str] = []
    rest = iter(enumerate(words))
    for index, word in rest:
        if word == "--":
            return words[:index]
        if word in ("-f", "--file"):
            next(rest, None)
        elif not word.startswith("-"):
            names.append(word)
        if names[:2] == ["lab", "exec"] and len(names) > 2:
            return words[: index + 1]
    return words


def note_format(app: App, words: Sequence[str]) -> None:
    """Note --json, --events and --format: what is wrong with the other words is told in that form, too."""
    words = own(words)
    app.json, app.events = "--json" in words, "--events" in words
    if name := _value("--format", words):
        from lbdeploy.cli.report.formats import NAMES, Format

        app.format = Format(name) if name in NAMES else None


def _value(option: str, words: Sequence[str]) -> str:
    """The value of an option, as `--option VALUE` or `--option=VALUE`; "" without one."""
    following = next((value for word, value in pairwise(words) if word == option), "")
    return following or next((word.partition("=")[2] for word in words if word.startswith(f"{option}=")), "")
