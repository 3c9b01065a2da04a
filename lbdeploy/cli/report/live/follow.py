"""Draws the live screen again and again, and heeds keys, until q or Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from rich.console import Console, Group
from rich.live import Live

from lbdeploy.cli.report.live.fleet import fleet_screen, last_fleet_screen, shown
from lbdeploy.cli.report.live.keys import KeyReader
from lbdeploy.cli.report.live.screen import Advise, last_screen, rows, screen
from lbdeploy.cli.report.live.sections import Watched
from lbdeploy.cli.report.live.view import LiveView
from lbdeploy.cli.report.terminal import Line, cell
from lbdeploy.operations.watch.clusters import WatchedCluster

REDRAW = 0.5  # seconds between two drawings, if no key is pressed


class Screen:
    """What is drawn of one or many clusters, and what somebody chose to see of them."""

    def __init__(self, clusters: Sequence[WatchedCluster], console: Console, advise: Advise) -> None:
        self._clusters = clusters
        self._console = console
        self._advise = advise
        self.view = LiveView()

    @property
    def _opened(self) -> WatchedCluster | None:
        """The cluster of which all is shown: the only one, or one of many that was opened."""
        if len(self._clusters) == 1:
            return self._clusters[0]
        return None if self.view.opened is None else self._clusters[self.view.opened]

    @property
    def _size(self) -> tuple[int, int]:
        return self._console.width, self._console.height

    def drawn(self) -> Group:
        """The screen as it is now."""
        for each in self._clusters:
            each.note()
        watched = _watched(self._opened)
        if watched:
            return _group(screen(watched, self.view, self._size, self._advise))
        return _group(fleet_screen(self._clusters, self.view, self._size))

    def last(self) -> Group:
        """What stays on the terminal."""
        watched = _watched(self._opened)
        if watched:
            return _group(last_screen(watched, self._size, self._advise))
        return _group(last_fleet_screen(self._clusters, self._size))

    def press(self, key: str) -> None:
        """Heed a key."""
        watched = _watched(self._opened)
        if watched:
            self.view = self.view.pressed(key, len(rows(watched, self.view)))
            return
        found = shown(self._clusters, self.view.filter)
        after = self.view.pressed(key, len(found))
        if after.page == "details":
            at = found[min(self.view.selected, len(found) - 1)][0]
            after = LiveView(opened=at) if self._clusters[at].watch else self.view
        self.view = replace(after, page="overview") if after.page in ("history", "drill") else after


def follow(clusters: Sequence[WatchedCluster], console: Console, advise: Advise) -> None:
    """Draw on the terminal's other screen until q or Ctrl-C; then what was seen last stays on the first one."""
    chosen = Screen(clusters, console, advise)
    with (
        suppress(KeyboardInterrupt),
        KeyReader() as keys,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while not chosen.view.over:
            live.update(chosen.drawn(), refresh=True)
            for key in keys.read(REDRAW):
                chosen.press(key)
    console.print(chosen.last())


def _watched(cluster: WatchedCluster | None) -> Watched | None:
    if not cluster or not cluster.watch:
        return None
    watch = cluster.watch
    return Watched(watch.status, watch.silent, watch.last, cluster.trends)


def _group(lines: Sequence[Line]) -> Group:
    texts = [cell(*line) for line in lines]
    for each in texts:
        each.no_wrap, each.overflow = True, "crop"
    return Group(*texts)
