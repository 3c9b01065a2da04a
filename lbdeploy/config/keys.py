"""Keys of hosts.toml that are not known, and names with dots that are not quoted. Pure.

TOML reads a name as in [nodes.lb1.example.com] as tables in each other. Each such name is one problem, with the form
that is right, and is then read as it was meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lbdeploy.errors import Problem, key_text

Data = dict[str, Any]
Known = Collection[str]


def near(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or all of them."""
    from difflib import get_close_matches

    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"did you mean {key_text(close[0])}?" if close else "known are: " + ", ".join(map(key_text, known))


def joined(data: Data, known: Mapping[str, Known], of_servers: Known) -> tuple[Data, list[Problem]]:
    """The same file, with each such name as one key; and a problem for each.

    `known`: the keys of a table in each section that has names; `of_servers`: those of a server.
    """
    found: list[Problem] = []
    result = dict(data)
    for section, keys in known.items():
        if isinstance(data.get(section), dict):
            result[section] = _joined((section,), data[section], keys, found)
    frontends = result.get("frontends")
    if isinstance(frontends, dict):
        result["frontends"] = {name: _with_servers(name, table, of_servers, found) for name, table in frontends.items()}
    return result, found


def _with_servers(frontend: str, table: Any, known: Known, found: list[Problem]) -> Any:
    servers = table.get("servers") if isinstance(table, dict) else None
    if not isinstance(servers, dict):
        return table
    where = ("frontends", frontend, "servers")
    return {**table, "servers": _joined(where, servers, known, found, values=True)}


def _joined(where: tuple[str, ...], tables: Data, known: Known, found: list[Problem], *, values: bool = False) -> Data:
    """`values`: what is named may be a value, as the address of a server, and not only a table."""
    result: Data = {}
    for parts, value in _named((), tables, known, values=values):
        name = ".".join(parts)
        result[name] = value
        if len(parts) > 1:
            quoted = key_text(name)
            fix = f"quote the name: {quoted} = ..." if values else f"quote the name: [{key_text(*where)}.{quoted}]"
            message = "dots in a name make tables in each other of it, in TOML"
            found.append(Problem("dotted-name", (*where, *parts), message, fix))
    return result


def _named(
    before: tuple[str, ...], table: Data, known: Known, *, values: bool
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What each name stands for: a table is one of the kind meant if it has a key of it, or one that is nearly so."""
    for key, value in table.items():
        parts = (*before, key)
        inner = isinstance(value, dict) and value and (values or all(isinstance(each, dict) for each in value.values()))
        if inner and not any(is_near(each, known) for each in value):
            yield from _named(parts, value, known, values=values)
        else:
            yield parts, value


def is_near(key: str, known: Known) -> bool:
    """Whether it is one of the known keys, or nearly so."""
    if key in known:
        return True
    from difflib import get_close_matches  # only a file with problems needs it

    return bool(get_close_matches(key, known, n=1))
