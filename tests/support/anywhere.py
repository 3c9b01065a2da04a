"""Files of hosts.toml in which any value may be any other."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from builders import BIG

# Every interface has a name of its own, so that a changed one becomes no other's twin.
DATA = tomllib.loads(BIG.replace('quiet = "eth1" }', 'quiet = "eth9" }'))


def items(data: Any) -> list[tuple[Any, Any]]:
    return list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ())


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value, tables included."""
    inner = [found for key, value in items(data) for found in paths(value, (*path, key))]
    return [path, *inner] if path else inner


def toml(data: Any) -> str:
    """A value as TOML: strings with every odd character escaped."""
    if isinstance(data, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(value)}" for key, value in data.items()) + " }"
    if isinstance(data, list):
        return "[" + ", ".join(map(toml, data)) + "]"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in data) + '"'
    return str(data)


def replaced(data: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    pairs = [(key, replaced(value, path[1:], new) if key == path[0] else value) for key, value in items(data)]
    return dict(pairs) if isinstance(data, dict) else [value for _, value in pairs]


def write(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "hosts.toml"
    path.write_text("".join(f"{toml(key)} = {toml(value)}\n" for key, value in data.items()), encoding="utf-8")
    return path
