"""The live screen as lines: how the cluster is, then what was chosen to be seen, then the keys. Pure.

Where things stand depends on the terminal's size and on hosts.toml alone, so that nothing moves under the eyes of the
reader: what is wrong stands in the room of the last changes, above them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lbdeploy.cli.report.live import pages
from lbdeploy.cli.report.live.layout import chosen, clipped, heights, padded, pairs, scrolled, table, width_of, window
from lbdeploy.cli.report.live.sections import LiveTable, TableRow, Watched, sections
from lbdeploy.cli.report.live.view import LiveView
from lbdeploy.cli.report.summary import causes_lines, summary_line
from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import count

Advise = Callable[[Line], Line]  # adapts the commands in a line to this invocation
Size = tuple[int, int]  # columns, rows
LEAST = 2  # rows for what is wrong and what has changed
KEYS = "q quit  ? help  Enter details  / filter  h history  d drill"


def rows(watched: Watched, view: LiveView) -> list[TableRow]:
    """What can be selected."""
    return [row for section in sections(watched, view.filter) for row in section.rows]


def screen(watched: Watched, view: LiveView, size: Size, advise: Advise = tuple) -> list[Line]:
    """The lines of the whole screen."""
    width, height = size
    page = _page(watched, view, (width, height - 2), advise)
    body = scrolled(page, height - 2, view.top) if view.page != "overview" else page
    return [verdict(watched, width, advise), *(clipped(each, width) for each in body), footer(view, width)]


def verdict(watched: Watched, width: int, advise: Advise = tuple) -> Line:
    """How the cluster is."""
    status = watched.status
    whole = advise(summary_line(status.overview, status.state, status.causes))
    if width_of(whole) > width:  # how many problems there are says more than since when
        whole = advise(summary_line(status.overview.since(None), status.state, status.causes))
    if width_of(whole) > width:
        whole = [(text.replace("  ", " "), style) for text, style in pairs(whole)]
    return clipped(whole, width)


def footer(view: LiveView, width: int, keys: str = KEYS) -> Line:
    """The keys, or the filter, and the time. `keys`: those of the first page."""
    clock = time.strftime("%H:%M:%S")
    if view.typing or view.filter:
        cursor, then = ("_", "Enter keeps it, Esc clears it") if view.typing else ("", "Esc clears it")
        left: Line = [("/", "name"), (view.filter + cursor, "name"), (f"  {then}", "quiet")]
    else:
        first = keys if view.opened is None else f"Esc back  {keys}"
        left = [(first if view.page == "overview" else "Esc back  q quit  ? help  h history  d drill", "quiet")]
    if width_of(left) + len(clock) + 2 > width:
        return clipped(left, width)
    return [*padded(left, width - len(clock)), (clock, "quiet")]


def _page(watched: Watched, view: LiveView, size: Size, advise: Advise) -> list[Line]:
    if view.page == "details":
        all_rows = rows(watched, view)
        return pages.details(watched, all_rows[min(view.selected, len(all_rows) - 1)]) if all_rows else []
    if view.page == "overview":
        return overview(watched, view, size, advise)
    pages_of = {"help": pages.help_lines, "history": pages.history, "drill": pages.drill}
    return [advise(line) for line in pages_of[view.page](watched)]


def overview(watched: Watched, view: LiveView, size: Size, advise: Advise = tuple) -> list[Line]:
    """The tables, what is wrong, and the last changes, in as many lines as there is room for."""
    width, height = size
    shown = sections(watched, view.filter)
    given = heights([1 + each.whole for each in shown], height - LEAST)
    spare = height - LEAST - sum(given)
    gap: list[Line] = [()] if spare > len(shown) + 3 else []
    lines: list[Line] = []
    before = 0
    for section, room in zip(shown, given, strict=True):
        lines += [*_drawn(section, view.selected - before, (width, room), view), *gap]
        before += len(section.rows)
    return [*lines, *_news(watched, view, height - len(lines), advise)][:height]


def _drawn(section: LiveTable, selected: int, size: Size, view: LiveView) -> list[Line]:
    """A table: its heading and the rows for which there is room, among them the selected one."""
    width, height = size
    heading, lines = table(section.heads, [each.cells for each in section.rows], width)
    marked = [chosen(line) if at == selected else line for at, line in enumerate(lines)]
    if view.filter and not lines and section.whole:
        heading = [(f"{count(section.whole, section.noun)}, none with {view.filter}", "quiet")]
    return [heading, *window(marked, height - 1, selected if 0 <= selected < len(lines) else None, section.noun)]


def _news(watched: Watched, view: LiveView, height: int, advise: Advise) -> list[Line]:
    """What is wrong, then what has changed, the latest first."""
    wrong = [advise(line) for line in causes_lines(watched.status.causes, verbose=False)]
    changed = pages.changes(watched, view.filter)
    if height > LEAST:
        heading: Line = [("what is wrong, and the last changes" if wrong else "last changes", "quiet")]
        return [heading, *scrolled([*wrong, *changed], height - 1, 0, "h shows them")]
    return scrolled([*wrong, *changed], height, 0, "h shows them")


def last_screen(watched: Watched, size: Size, advise: Advise = tuple) -> Sequence[Line]:
    """What is left on the terminal at the end: without keys, and no row selected."""
    width, height = size
    lines = overview(watched, LiveView(selected=-1), (width, height - 2), advise)
    while lines and not width_of(lines[-1]):
        lines.pop()
    return [verdict(watched, width, advise), *(clipped(each, width) for each in lines)]
