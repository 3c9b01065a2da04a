"""The tables of the live screen: nodes, VIPs and servers, a row each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lbdeploy.cli.report.live.layout import Column
from lbdeploy.cli.report.live.sparkline import sparkline
from lbdeploy.cli.report.status import STATES, moment, opinion, span
from lbdeploy.cli.report.terminal import Line
from lbdeploy.common.debian import DAEMONS
from lbdeploy.node.parsers import ServerStat
from lbdeploy.operations.status import Snapshot, Status, age
from lbdeploy.operations.watch.trends import Trends

TREND = 20  # columns of a sparkline: as many looks, two seconds apart
Kind = Literal["node", "VIP", "server"]


@dataclass(frozen=True)
class Watched:
    """A cluster at one moment. `silent`: seconds without an answer, by node; `last`: what each node said last."""

    status: Status
    silent: Mapping[str, float]
    last: Mapping[str, Snapshot]
    trends: Trends

    @cached_property
    def frontends(self) -> list[str]:
        return [each.name for each in self.status.cluster.frontends]

    def stat(self, node: str, frontend: str, server: str) -> ServerStat | None:
        """A server as the haproxy of a node sees it, or saw it last."""
        stats = self.last[node].seen.servers if node in self.last else ()
        return next((each for each in stats if (each.frontend, each.server) == (frontend, server)), None)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table. `key`: its name, after the frontend's for a server."""

    kind: Kind
    key: tuple[str, ...]
    cells: Sequence[Line]

    def matches(self, text: str) -> bool:
        """Whether the text is in any of its cells."""
        words = " ".join(part if isinstance(part, str) else part[0] for cell in self.cells for part in cell)
        return text.lower() in f"{' '.join(self.key)} {words}".lower()


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table. `whole` is how many rows it has without a filter: its room does not depend on what is filtered."""

    noun: Kind
    heads: Sequence[Column]
    rows: Sequence[TableRow]
    whole: int


def sections(watched: Watched, text: str = "") -> list[LiveTable]:
    """The tables, without the rows in which the text is not."""
    status = watched.status
    nodes = [TableRow("node", (each.name,), list(_node(watched, each.name))) for each in status.cluster.nodes]
    vips = [TableRow("VIP", (str(each.vip.ip),), list(_vip(watched, at))) for at, each in enumerate(status.vips)]
    servers = [
        TableRow("server", (frontend.name, each.name), list(_server(watched, frontend.name, each.name)))
        for frontend, each in status.cluster.servers()
    ]
    found = (("node", _node_heads(), nodes), ("VIP", _vip_heads(), vips), ("server", _server_heads(watched), servers))
    return [_section(kind, heads, rows, text) for kind, heads, rows in found]  # type: ignore[arg-type]


def _section(kind: Kind, heads: Sequence[Column], rows: Sequence[TableRow], text: str) -> LiveTable:
    return LiveTable(kind, heads, [each for each in rows if each.matches(text)], len(rows))


def _node_heads() -> list[Column]:
    names = ("node", "VRRP", "for", "priority", *DAEMONS, "sessions", "rate", "", "last run")
    ranks = (0, 0, 2, 3, 0, 0, 1, 4, 5, 6)
    return [Column(name, rank) for name, rank in zip(names, ranks, strict=True)]


def _node(watched: Watched, name: str) -> Iterator[Line]:
    """The cells of a node; grey where it is silent."""
    snapshot = watched.last.get(name)
    if not snapshot:
        yield [(name, "name")]
        yield [("?", "bad")]
        yield from ([""] for _ in range(8))
        return
    grey = name in watched.silent
    trend = watched.trends.values("rate", name)
    for text, style in (*_values(snapshot), (sparkline(trend, TREND, _most(trend)), "todo"), (_run(snapshot), "")):
        yield [(text, "quiet" if grey and text != name else style)]


def _values(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    seen, vrrp = snapshot.seen, snapshot.vrrp
    yield seen.node.name, "name"
    yield snapshot.state, STATES.get(snapshot.state, "")
    yield span(age(seen, vrrp.since)), ""
    yield "" if vrrp.priority is None else str(vrrp.priority), ""
    for daemon in DAEMONS:
        state = seen.service(daemon)
        yield (span(age(seen, state.since)), "") if state.running else (state.active, "bad")
    yield str(sum(load.sessions for load in snapshot.loads)), ""
    yield f"{sum(load.rate for load in snapshot.loads)}/s", ""


def _run(snapshot: Snapshot) -> str:
    return moment(snapshot.seen.states["service lbdeploy"].run)


def _vip_heads() -> list[Column]:
    return [Column("VIP"), Column("network", 2), Column("interface", 1), Column("holder")]


def _vip(watched: Watched, at: int) -> Iterator[Line]:
    placement = watched.status.vips[at]
    found = len(placement.holders)
    style = "good" if found == 1 else "bad" if found or not placement.unknown else "warn"
    yield from ([(str(placement.vip.ip), "name")], [placement.vip.network], [placement.interface])
    yield [(placement.told(), style)]


def _server_heads(watched: Watched) -> list[Column]:
    nodes = [Column(f"on {each.name}", 0 if at < 2 else 3) for at, each in enumerate(watched.status.cluster.nodes)]
    frontend = Column("frontend", 0 if len(watched.frontends) > 1 else 5)
    return [Column("server"), frontend, *nodes, Column("sessions", 1), Column("", 4)]


def _server(watched: Watched, frontend: str, server: str) -> Iterator[Line]:
    """The cells of a server: its state in each node's haproxy, its sessions on all of them."""
    yield from ([(server, "name")], [frontend])
    for node in watched.status.cluster.nodes:
        yield [opinion(watched.stat(node.name, frontend, server), grey=node.name in watched.silent)]
    trend = watched.trends.values("sessions", frontend, server)
    now = trend[-1] if trend else None
    highest = max(
        _most(watched.trends.values("sessions", frontend, name))
        for each, name in ((f.name, s.name) for f, s in watched.status.cluster.servers())
        if each == frontend
    )
    yield from (["" if now is None else str(now)], [(sparkline(trend, TREND, highest), "todo")])


def _most(values: Sequence[int | None]) -> int:
    return max((each or 0 for each in values[-TREND:]), default=0)
