"""The cluster on one screen: it fits 80 columns, and 24 rows for a pair with some servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lbdeploy.cli.report.summary import causes_lines, summary_line
from lbdeploy.cli.report.terminal import Line, cell
from lbdeploy.cli.report.wrap import Pair
from lbdeploy.common.debian import DAEMONS
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.parsers import ServerStat
from lbdeploy.operations.status import Snapshot, Status, age

STATES = {"MASTER": "good", "BACKUP": "", "FAULT": "bad", "off": "bad", "INIT": "warn", "unknown": "warn"}
WIDEST = 1000  # columns: as much as a table takes where nothing is in its way
Advise = Callable[[Line], Line]  # adapts the commands in a line to this invocation


def once(status: Status, advise: Advise = tuple) -> RenderableType:
    """The status as a report, which ends with how the cluster is. Where it is not deployed, that is all."""
    parts = _parts(status, advise) if status.overview.deployed else ()
    return Group(_spaced(parts), _summary(status, advise))


def _spaced(parts: Iterable[RenderableType]) -> RenderableType:
    return Group(*(line for part in parts for line in (part, cell())))


def _summary(status: Status, advise: Advise) -> Text:
    return cell(*advise(summary_line(status.overview, status.state, status.causes)))


def _parts(status: Status, advise: Advise) -> Iterator[RenderableType]:
    yield _Nodes(status)
    if status.causes:
        yield Group(*(cell(*advise(each)) for each in causes_lines(status.causes, verbose=False)))
    yield _vips(status)
    for frontend in status.cluster.frontends:
        yield _servers(status, frontend.name)


class _Nodes:
    """The table of nodes; on a screen that is too narrow for it, without the last columns, which is said."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = _nodes(self.status)
        if Measurement.get(console, options.update(max_width=WIDEST), whole).maximum <= options.max_width:
            yield whole
        else:
            yield _nodes(self.status, without=2)
            yield cell(("rate and last run: on a wider screen", "quiet"))


def _nodes(status: Status, *, without: int = 0) -> Table:
    groups = ("group",) if status.cluster.vrrp.groups else ()
    columns = ("node", *groups, "VRRP", "for", "priority", *DAEMONS, "sessions", "rate", "last run")
    headings = columns[: len(columns) - without]
    table = _table(*headings)
    for node in status.cluster.nodes:
        if node.name in status.nodes:
            for row in _node(status.nodes[node.name]):
                table.add_row(*row[: len(headings)])
        elif node.name in status.errors:
            table.add_row(cell((node.name, "name")), cell(("?", "bad")))
    return table


def _node(snapshot: Snapshot) -> Iterator[list[Text]]:
    """A node's row; where there are groups, one for each, of which the first also has what is the node's own."""
    name, rest = cell((snapshot.seen.node.name, "name")), [*_of_node(snapshot)]
    if not snapshot.groups:
        yield [name, *_vrrp(snapshot, snapshot.vrrp), *rest]
    for number, (group, vrrp) in enumerate(snapshot.groups.items()):
        row = [cell((group, "name")), *_vrrp(snapshot, vrrp)]
        yield [name, *row, *rest] if not number else [cell(), *row]


def _vrrp(snapshot: Snapshot, vrrp: KeepalivedState) -> Iterator[Text]:
    state = snapshot.said(vrrp)
    yield cell((state, STATES.get(state, "")))
    yield cell(span(age(snapshot.seen, vrrp.since)))
    yield cell("" if vrrp.priority is None else str(vrrp.priority))


def _of_node(snapshot: Snapshot) -> Iterator[Text]:
    seen = snapshot.seen
    for daemon in DAEMONS:
        state = seen.service(daemon)
        yield cell(span(age(seen, state.since))) if state.running else cell((state.active, "bad"))
    yield cell(str(sum(load.sessions for load in snapshot.loads)))
    yield cell(f"{sum(load.rate for load in snapshot.loads)}/s")
    yield cell(moment(seen.states["service lbdeploy"].run))


def moment(run: str) -> str:
    """When a run began (UTC), from its ID."""
    found = re.match(r"\d{4}(\d\d)(\d\d)T(\d\d)(\d\d)", run)
    return f"{found[1]}-{found[2]} {found[3]}:{found[4]}" if found else run[:11]


def _vips(status: Status) -> Table:
    groups = bool(status.cluster.vrrp.groups)
    table = _table("VIP", *(("group",) if groups else ()), "network", "interface", "holder")
    for placement in status.vips:
        found = len(placement.holders)
        style = "good" if found == 1 else "bad" if found or not placement.unknown else "warn"
        table.add_row(
            cell((str(placement.vip.ip), "name")),
            *([cell(placement.vip.group)] if groups else []),
            cell(placement.vip.network),
            cell(placement.interface),
            cell((placement.told(), style)),
        )
    return table


def _servers(status: Status, frontend: str) -> Table:
    """A row for each server, with its state in each node's haproxy, and since when."""
    names = [node.name for node in status.cluster.nodes if node.name in status.nodes]
    table = _table(frontend, *names)
    servers = next(each.servers for each in status.cluster.frontends if each.name == frontend)
    for server in servers:
        stats = [_stat(status.nodes[name], frontend, server.name) for name in names]
        table.add_row(cell((server.name, "name")), *(cell(opinion(each)) for each in stats))
    return table


def _stat(snapshot: Snapshot, frontend: str, server: str) -> ServerStat | None:
    return next((each for each in snapshot.seen.servers if (each.frontend, each.server) == (frontend, server)), None)


def opinion(stat: ServerStat | None, *, grey: bool = False) -> Pair:
    """What a node's haproxy says of a server; grey where that is old."""
    if stat is None:
        return "-", "quiet"
    style = "quiet" if grey else "good" if stat.up else "warn" if stat.drained else "bad"
    return f"{stat.status} {stat.check_status} {span(stat.since)}", style


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="quiet", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(cell(heading), overflow="fold")
    return table


def span(seconds: float | None) -> str:
    """A time in at most four characters, up to 999 days; "" where it is not known."""
    if seconds is None:
        return ""
    steps: Sequence[tuple[float, str]] = ((60, "s"), (60, "m"), (48, "h"), (float("inf"), "d"))
    factors = (1, 60, 3600, 86400)
    unit, factor = next(
        (unit, factor) for (limit, unit), factor in zip(steps, factors, strict=True) if seconds / factor < limit
    )
    return f"{seconds / factor:.0f}{unit}"
