"""Adds servers to the text of hosts.toml, and takes some out; comments and order stay. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table, Whitespace

from lbdeploy.config import reader
from lbdeploy.config.model import Server
from lbdeploy.errors import HostsFileError, UsageError

Edit = tuple[str, str]  # frontend, server
Servers = dict[Edit, tuple[object, int]]
LEFT = "it is as it was"


def edited(path: Path, text: str, added: Mapping[Edit, Server], removed: Collection[Edit]) -> str:
    """The text with servers added and removed. Raises UsageError where no valid file comes of it."""
    try:
        new = _changed(text, added, removed)
        done = _servers(path, new)
    except (TOMLKitError, HostsFileError, AttributeError, KeyError, TypeError):
        done = None
    if done != _wanted(path, text, added, removed):
        fix = f"by hand: {_by_hand(added, removed)}"
        raise UsageError(f"the servers of {path.name} can't be edited as they stand there", state=LEFT, fix=fix)
    return new


def _changed(text: str, added: Mapping[Edit, Server], removed: Collection[Edit]) -> str:
    document = tomlkit.parse(text)
    frontends = cast("dict[str, Any]", document["frontends"])
    for frontend, name in removed:
        _remove(frontends[frontend]["servers"], name)
    for (frontend, name), server in added.items():
        _add(frontends[frontend]["servers"], name, _value(server, int(frontends[frontend]["port"])))
    return tomlkit.dumps(document)


def _remove(servers: Any, name: str) -> None:
    """Remove a server; what stands between the last line of its table and the next header is about that, and stays.

    Raises TypeError where the servers' tables are among others, so that nothing would take such a comment.
    """
    below = "".join(_below(servers[name]))
    if below.strip() and not isinstance(servers, Table):
        raise TypeError(name)
    places = [key and key.key for key, _ in servers.value.body] if below.strip() else []
    del servers[name]
    if places:
        cast("Container", servers.value).body[places.index(name)] = (None, Whitespace(below))


def _below(server: Any) -> list[str]:
    """The comments and blank lines at the end of a server's table."""
    body = server.value.body if isinstance(server, Table) else []
    last = max((at for at, (key, _) in enumerate(body) if key), default=-1)
    return [item.as_string() for _, item in body[last + 1 :]]


def _value(server: Server, port: int) -> str:
    """The address, with the port where it is another one than the frontend's."""
    if server.port == port:
        return str(server.address)
    return f"[{server.address}]:{server.port}" if server.address.version == 6 else f"{server.address}:{server.port}"


def _add(servers: Any, name: str, value: str) -> None:
    """Add a server after the last one: what stands between it and the next table stays before that table."""
    below: list[Any] = []
    body = servers.value.body if isinstance(servers, Table) else []
    while body and body[-1][0] is None:
        below.insert(0, body.pop())
    servers[name] = value
    if below:
        cast("Container", servers.value).body.extend(below)


def _wanted(path: Path, text: str, added: Mapping[Edit, Server], removed: Collection[Edit]) -> Servers:
    """What the new text should say: the same as the old one, but for these servers."""
    kept = {key: each for key, each in _servers(path, text).items() if key not in removed}
    return kept | {key: (server.address, server.port) for key, server in added.items()}


def _servers(path: Path, text: str) -> Servers:
    cluster = reader.load(path, text)
    return {(frontend.name, server.name): (server.address, server.port) for frontend, server in cluster.servers()}


def _by_hand(added: Mapping[Edit, Server], removed: Iterable[Edit]) -> str:
    lines = [
        f"add {name} = {_value(server, 0)} to the servers of {frontend}" for (frontend, name), server in added.items()
    ]
    return "; ".join([*lines, *(f"remove {name} from those of {frontend}" for frontend, name in removed)])
