"""Many clusters on one screen, a row each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lbdeploy.cli.report.live.layout import Column, chosen, clipped, scrolled, table, window
from lbdeploy.cli.report.live.screen import Size, footer
from lbdeploy.cli.report.live.view import LiveView
from lbdeploy.cli.report.summary import STYLES, lasting
from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import count, listed
from lbdeploy.health.digest.overview import State
from lbdeploy.operations.status import Status
from lbdeploy.operations.watch.clusters import WatchedCluster

HEADS = [
    Column("file"), Column("cluster", 4), Column("is"), Column("nodes", 1), Column("servers", 1), Column("VIPs on", 2),
    Column("for", 3), Column("first problem"),
]  # fmt: skip
KEYS = "q quit  ? help  Enter opens a cluster  / filter"
HELP = (
    "one row a cluster: up and down choose one, Enter opens it, Esc comes back",
    "/ shows only rows with a text, q ends; the last screen stays",
)
# From bad to good, as they are counted in the first line.
ORDER: tuple[State, ...] = ("down", "unknown", "degraded", "not deployed", "drifted", "healthy")


def shown(clusters: Sequence[WatchedCluster], text: str) -> list[tuple[int, list[Line]]]:
    """The clusters in whose row the text is: where each stands among all, and its cells."""
    rows = [(at, list(_row(each))) for at, each in enumerate(clusters)]
    return [(at, row) for at, row in rows if text.lower() in _words(row)]


def fleet_screen(clusters: Sequence[WatchedCluster], view: LiveView, size: Size) -> list[Line]:
    """The lines of the whole screen."""
    width, height = size
    rows = shown(clusters, view.filter)
    heading, lines = table(HEADS, [row for _, row in rows], width)
    marked = [chosen(line) if at == view.selected else line for at, line in enumerate(lines)]
    if view.page == "help":
        body: list[Line] = scrolled([[line] for line in HELP], height - 2, view.top)
    else:
        body = [heading, *window(marked, height - 3, view.selected, "cluster")]
    return [_verdict(clusters, width), *(clipped(each, width) for each in body), footer(view, width, KEYS)]


def last_fleet_screen(clusters: Sequence[WatchedCluster], size: Size) -> list[Line]:
    """What is left on the terminal at the end: every row."""
    heading, lines = table(HEADS, [row for _, row in shown(clusters, "")], size[0])
    return [_verdict(clusters, size[0]), *(clipped(each, size[0]) for each in (heading, *lines))]


def _verdict(clusters: Sequence[WatchedCluster], width: int) -> Line:
    """How many clusters are how."""
    states = Counter(each.watch.status.state for each in clusters if each.watch)
    counted: list[Line] = [[f"  {states[state]} ", (state, STYLES[state])] for state in ORDER if states[state]]
    failed = sum(each.error is not None for each in clusters)
    waiting = len(clusters) - states.total() - failed
    rest = [f"  {number} {what}" for number, what in ((failed, "failed"), (waiting, "not looked at yet")) if number]
    parts = [part for line in counted for part in line]
    return clipped([(count(len(clusters), "cluster"), "name"), *parts, *rest], width)


def _row(each: WatchedCluster) -> Iterator[Line]:
    yield [(each.label, "name")]
    if each.watch:
        yield from _cells(each.watch.status)
        return
    yield [""]
    yield [("FAILED", "bad") if each.error else ("connecting", "quiet")]
    yield from ([""] for _ in range(4))
    yield [each.error.message.partition("\n")[0] if each.error else ""]


def _cells(status: Status) -> Iterator[Line]:
    seen = status.overview
    yield [status.cluster.name]
    yield [(status.state.upper(), STYLES[status.state])]
    yield [f"{seen.nodes[0]}/{seen.nodes[1]}"]
    yield [f"{seen.servers[0]}/{seen.servers[1]}"]
    yield [listed(seen.holders) or "no node"]
    yield ["" if seen.since_s is None else lasting(seen.since_s)]
    yield [status.causes[0].text if status.causes else ""]


def _words(row: Sequence[Line]) -> str:
    return " ".join(part if isinstance(part, str) else part[0] for cell in row for part in cell).lower()
