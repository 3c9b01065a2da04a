"""Paths of this machine's files, as they are shown and stored."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


@cache
def shipped(name: str) -> Path:
    """A file or folder that ships with lbdeploy: below `_shipped` in the wheel, at the top level in a checkout."""
    inside = PACKAGE / "_shipped" / name
    return inside if inside.exists() else PACKAGE.parent / name


def home_expanded(name: str) -> Path:
    """A path with `~` or `~user` expanded. That of nobody stays as it is: Path.expanduser raises for it."""
    return Path(os.path.expanduser(name))


def of_user(variable: str, otherwise: str) -> Path:
    """The folder of lbdeploy's in one of the user's (XDG Base Directory Specification: a relative path does not count).

    Not absolute for a user without HOME and passwd entry.
    """
    base = os.environ.get(variable, "")
    return Path(base if os.path.isabs(base) else os.path.expanduser(otherwise), "lbdeploy")


def logs() -> Path:
    """The folder with the logs of runs."""
    return of_user("XDG_STATE_HOME", "~/.local/state")


def shown(path: Path) -> Path:
    """A path as one would type it: relative to the current folder, if it is below that."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the current folder was removed
        return path
    return path.relative_to(here) if path.is_relative_to(here) else path


def absolute(path: Path) -> Path:
    """The absolute path; unchanged where the current folder was removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path
