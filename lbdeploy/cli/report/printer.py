"""Prints for people, line by line and in tables, beside the display of progress. The door for all that is not JSON.

Plain lines are written without rich, since importing it takes longer than many a command: it draws tables and the live
display.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from lbdeploy.cli.report.plain_table import least_widths, plain, plain_table
from lbdeploy.cli.report.terminal import Part, cell, console, lively, write
from lbdeploy.node.remote import readable

if TYPE_CHECKING:
    from lbdeploy.cli.report.progress import Live, ProgressLines
    from lbdeploy.events import Event, RemoteCommand

SHOWN = 4000  # characters of a script that are shown with -vv


class Printer:
    """Prints progress on standard error, and results on standard output, or with --json on standard error, too."""

    def __init__(self, *, json: bool, verbose: int, advise: Callable[[str], str] = str) -> None:
        """`advise` adapts general advice, such as `lbdeploy up`, to the options of this invocation."""
        self.verbose = verbose
        self._advise = advise
        self.results = sys.stderr if json else sys.stdout
        self._beginning = threading.Lock()
        self._begun: Live | ProgressLines | None = None

    @property
    def _progress(self) -> Live | ProgressLines:
        """The display of progress, made for the first event: what contacts nothing has none."""
        from lbdeploy.cli.report.progress import Live, ProgressLines

        with self._beginning:
            self._begun = self._begun or (Live() if self.lively else ProgressLines())
            return self._begun

    def emit(self, event: Event) -> None:
        """Show an event. May be called from any thread."""
        from lbdeploy.events import RemoteCommand

        if not isinstance(event, RemoteCommand):
            self._progress.event(event)
        elif self.verbose > 1:
            self._wire(event)

    def _wire(self, event: RemoteCommand) -> None:
        """Show a script that was run on a node, its output, and how it ended."""
        from lbdeploy.events import excerpt

        script = excerpt(readable(event.script), SHOWN)
        self.warn((event.who, "name"), (f" $ {event.command}", "todo"), f"  ({event.seconds:.2f} s, {event.status})")
        self.warn(("\n".join(f"    {line}" for line in script.splitlines()), "quiet"))

    @property
    def lively(self) -> bool:
        """Whether there is a terminal to draw progress on."""
        return lively(sys.stderr)

    @property
    def drawable(self) -> bool:
        """Whether results go to a terminal that can be drawn over."""
        return lively(self.results)

    def forget(self, who: str) -> None:
        """Remove the live line of a node, or of a cluster, that has ended."""
        self._progress.forget(who)

    def prepare(self) -> None:
        """Import rich, which a terminal's tables need, while the run waits for the nodes anyway."""
        if not plain(self.results):
            import rich.console
            import rich.table  # noqa: F401

    def quiet(self) -> None:
        """End the live display, so that results can be printed."""
        if self._begun:
            self._begun.close()

    def say(self, *parts: Part) -> None:
        """Print one line of results: text, and (text, style) pairs."""
        self.quiet()
        write(self.results, self.advised(parts))

    def say_all(self, lines: Iterable[Sequence[Part]]) -> None:
        """Print lines of results."""
        for line in lines:
            self.say(*line)

    def say_at_length(self, lines: Iterable[Sequence[Part]]) -> None:
        """Print lines of results; where people read them on a terminal that is too small, in a pager."""
        if not (self.drawable and sys.stdin.isatty()):
            self.say_all(lines)
            return
        from lbdeploy.cli.pager import TerminalText, fits, paged

        self.quiet()
        terminal, held = self.results, TerminalText(self.results)
        for line in lines:
            write(held, self.advised(line))
        text = held.getvalue()
        if fits(text, terminal) or not paged(text):
            terminal.write(text)
            terminal.flush()

    def warn(self, *parts: Part) -> None:
        """Print one line on standard error."""
        self.quiet()
        write(sys.stderr, self.advised(parts))

    def advised(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Adapt the commands in a line of advice: one with a part of the style "next"."""
        if not any(isinstance(part, tuple) and part[1] == "next" for part in parts):
            return parts
        return [(self._advise(part[0]), part[1]) if isinstance(part, tuple) else self._advise(part) for part in parts]

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; the first column names what each row is about."""
        rows = list(rows)
        if plain(self.results) and (lines := plain_table([headings, *rows])):
            self.say_all([line] for line in lines)
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="quiet")
        output = console(self.results)
        for heading, least in zip(headings, least_widths([headings, *rows], output.width), strict=True):
            table.add_column(cell(heading), overflow="fold", min_width=least)
        for first, *rest in rows:
            table.add_row(cell((first, "name")), *map(cell, rest))
        self.quiet()
        output.print(table)
