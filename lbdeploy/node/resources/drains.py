"""Servers that were drained: what a node's haproxy is told of them whenever it starts or reloads. Pure.

The record is haproxy's own server-state file (management guide, `show servers state`), with who drained a server, and
when, in comments, which haproxy skips. See docs/decisions/058-drained-servers.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

Pair = tuple[str, str]  # frontend and server
Ports = Mapping[Pair, int]  # the ports of hosts.toml's servers

MOST = 200  # characters that are kept of who drained a server
_HEAD = "1\n# Written by lbdeploy drain and undrain: haproxy reads it whenever it starts or reloads.\n"
_RECORD = re.compile(r"# drained ([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+) since ([0-9]{1,11}) by (.*)")


@dataclass(frozen=True, slots=True)
class Drain:
    """A server of a frontend that gets no new connections, since when (s, Unix, by the operator's clock), by whom."""

    frontend: str
    server: str
    since: int
    by: str

    @property
    def pair(self) -> Pair:
        return self.frontend, self.server

    @property
    def told(self) -> str:
        """Since when, and by whom, for people."""
        return f"since {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M} UTC by {self.by}"

    def to_json(self) -> dict[str, object]:
        """The value of `drained` in a JSON document: `since` as in RFC 3339."""
        return {"since": f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%dT%H:%M:%SZ}", "by": self.by}


def parse(text: str) -> tuple[Drain, ...]:
    """The records in the file, each server once; whatever else it contains is passed over."""
    found = [_RECORD.fullmatch(line) for line in text.split("\n")]
    drains = [Drain(each[1], each[2], int(each[3]), printable(each[4])) for each in found if each]
    return tuple({each.pair: each for each in drains}.values())


def render(drains: Iterable[Drain], ports: Ports) -> str:
    """The file for these servers, without those that hosts.toml does not have."""
    kept = sorted((each for each in drains if each.pair in ports), key=lambda each: each.pair)
    return _HEAD + "".join(line for each in kept for line in _lines(each, ports))


def _lines(drain: Drain, ports: Ports) -> Iterator[str]:
    """The record, and the line for haproxy.

    haproxy finds the server by the names, not the IDs (0), and takes its address from haproxy.cfg, but its port from
    here. It is DOWN (0) until checks have succeeded, and FORCED DRAIN (8): a server that is dead when the drain ends
    gets no connection.
    """
    frontend, server = drain.pair
    yield f"# drained {frontend}/{server} since {drain.since} by {printable(drain.by)}\n"
    yield f"0 {frontend} 0 {server} - 0 8 1 1 0 1 0 0 6 0 0 0 - {ports[drain.pair]} -\n"


def agreed(others: Iterable[Collection[Drain]], used: Mapping[str, Collection[str]]) -> tuple[Drain, ...]:
    """The drains that a node without any record takes over: those that all of the others have.

    `used`: the servers of each frontend that get connections. No other node's word leaves a frontend without servers.
    """
    lists = [list(each) for each in others]
    common = set.intersection(*({drain.pair for drain in each} for each in lists)) if lists else set()
    emptied = {name for name, servers in used.items() if all((name, each) in common for each in servers)}
    return tuple(each for each in (lists[0] if lists else ()) if each.pair in common and each.frontend not in emptied)


def printable(text: str) -> str:
    """One line of text that can go into a comment, and on a screen."""
    return "".join(char if char.isprintable() else "?" for char in text)[:MOST].strip()
