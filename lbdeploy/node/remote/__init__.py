"""The sh and perl programs that nodes run."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from lbdeploy.common.shell import here

FOLDER = Path(__file__).parent


@cache
def remote_text(name: str) -> str:
    """The text of a program that nodes run, from lbdeploy/node/remote/."""
    return (FOLDER / name).read_text(encoding="utf-8")


def readable(script: str) -> str:
    """The script without nonces and without the texts that ship with lbdeploy: the part worth reading."""
    for text, name in _shipped().items():
        script = script.replace(text, name)
    return re.sub(r"\b[0-9a-f]{16}\b", "NONCE", script)


@cache
def _shipped() -> dict[str, str]:
    """By text: what is shown instead of the scripts that ship with lbdeploy, and of its (quoted) perl programs."""
    scripts = {remote_text(path.name): f"# ... lbdeploy/node/remote/{path.name}\n" for path in FOLDER.glob("*.sh")}
    programs = {here(remote_text(path.name)): f"lbdeploy/node/remote/{path.name}" for path in FOLDER.glob("*.pl")}
    return scripts | programs
