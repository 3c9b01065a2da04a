"""Progress of a run: lines where there is no terminal, a live display where there is one."""

from __future__ import annotations

import sys
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lbdeploy.cli.report.terminal import cell, console, write
from lbdeploy.cli.report.words import BAD, GOOD
from lbdeploy.events import Done, Note, Step, Told

if TYPE_CHECKING:
    from rich.console import RenderableType

REFRESH_SECONDS = 0.1


class ProgressLines:
    """Progress where there is no terminal: a line for each step, with the name of the node in front."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str | None, str] = {}

    def event(self, event: Told) -> None:
        with self._lock:
            if not isinstance(event, Done) and self._last.get(event.who) != event.text:
                self._last[event.who] = event.text
                write(sys.stderr, [f"{event.who}: {event.text}" if event.who else event.text])

    def forget(self, who: str) -> None:
        """Nothing to do: no line is live."""

    def close(self) -> None:
        """Nothing to do: no display is open."""


class Live:
    """Progress on a terminal: one live line a node, with its current step and how long that has taken.

    All drawing is done under one lock, without rich's own refresh thread, which ignores it: what that draws while
    another thread prints may overwrite it, since each computes from the other's height how far to move the cursor up.
    """

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Told, float]] = {}
        self._note = ""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._closed.set()

    @cached_property
    def _live(self) -> Any:
        from rich.live import Live as Display

        return Display(console=console(sys.stderr), get_renderable=self._draw, auto_refresh=False, transient=True)

    def event(self, event: Told) -> None:
        with self._lock:
            if isinstance(event, Note) and event.who:
                self._tell(event.who, event.text)
            elif isinstance(event, Note) or event.who is None:
                self._note = event.text
            else:
                self._rows[event.who] = (event, time.monotonic())
            if self._closed.is_set():
                self._open()

    def _open(self) -> None:
        self._closed = threading.Event()
        self._live.start(refresh=True)
        threading.Thread(target=self._refresh, args=(self._closed,), name="display", daemon=True).start()

    def _refresh(self, closed: threading.Event) -> None:
        while not closed.wait(REFRESH_SECONDS):
            with self._lock:
                if not closed.is_set():
                    self._live.refresh()

    def forget(self, who: str) -> None:
        """Remove the live line of a node."""
        with self._lock:
            self._rows.pop(who, None)

    def close(self) -> None:
        with self._lock:
            if not self._closed.is_set():
                self._closed.set()
                self._live.stop()
                del self._live
            self._rows.clear()
            self._note = ""

    def _tell(self, who: str, text: str) -> None:
        """Print a note above the live lines; it stays on the screen."""
        self._live.console.print(cell((f"{who}: ", "name"), text))

    @cached_property
    def _spinner(self) -> Any:
        from rich.spinner import Spinner

        return Spinner("dots", style="todo")

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table

        table: Table = Table.grid(padding=(0, 1))
        for name, (event, since) in list(self._rows.items()):
            table.add_row(self._mark(event), cell((name, "name")), cell(event.text), self._age(event, since))
        return Group(table, cell((self._note, "quiet"))) if self._note else table

    def _mark(self, event: Told) -> Any:
        if isinstance(event, Step):
            return self._spinner
        return cell(GOOD if isinstance(event, Done) and event.ok else BAD)

    def _age(self, event: Told, since: float) -> Any:
        seconds = time.monotonic() - since
        return cell((f"{seconds:.0f} s" if isinstance(event, Step) and seconds >= 1 else "", "quiet"))
