"""The sh and perl programs that nodes run."""

from __future__ import annotations

import re
from pathlib import Path

from lbdeploy.common.shell import here

FOLDER = Path(__file__).parent


_read: dict[str, str] = {}  # by name: the programs that this process has read, and that may be in a script


def remote_text(name: str) -> str:
    """The text of a program that nodes run, from lbdeploy/node/remote/."""
    if name not in _read:
        _read[name] = (FOLDER / name).read_text(encoding="utf-8")
    return _read[name]


def readable(script: str) -> str:
    """The script without nonces and without the texts that ship with lbdeploy: the part worth reading."""
    for name, text in tuple(_read.items()):
        script = script.replace(*_named(name, text))
    return re.sub(r"\b[0-9a-f]{16}\b", "NONCE", script)


def _named(name: str, text: str) -> tuple[str, str]:
    """What stands in scripts of a program of sh, or of a quoted one of perl, and what is shown instead."""
    path = f"lbdeploy/node/remote/{name}"
    return (text, f"# ... {path}\n") if name.endswith(".sh") else (here(text), path)
