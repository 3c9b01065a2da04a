"""The names in a hosts.toml, for shell completion: read without pydantic, which takes 60 ms."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def node_names(path: Path) -> list[str]:
    """The nodes, in the order of the file; none where the file can't be read or parsed."""
    return list(_table(_read(path), "nodes"))


def server_names(path: Path) -> list[str]:
    """The servers behind any frontend."""
    frontends = _table(_read(path), "frontends")
    return list(dict.fromkeys(server for name in frontends for server in _table(_table(frontends, name), "servers")))


def network_names(path: Path) -> list[str]:
    """The networks."""
    return list(_table(_read(path), "networks"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _table(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}
