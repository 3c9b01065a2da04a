"""What people see: progress as it happens, plans, findings, errors. The only importer of rich.

Plain lines are written without it, since importing it takes longer than many a command: it draws tables and the live
display on a terminal.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

import click

from lbdeploy.errors import HostsFileError, LbdeployError
from lbdeploy.events import Done, Event, Note, Step

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from lbdeploy.lint import Lint
    from lbdeploy.model import Cluster
    from lbdeploy.plan import Plan
    from lbdeploy.resource import Change
    from lbdeploy.rollout import Outcome
    from lbdeploy.verdict import Finding, Verdict

# Only the terminal's own colours, which its owner has made readable on light or dark.
STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "name": {"bold": True},
    "quiet": {"dim": True},
    "todo": {"fg": "cyan"},
}
RICH = {"good": "green", "bad": "bold red", "warn": "yellow", "name": "bold", "quiet": "dim", "todo": "cyan"}
Part = str | tuple[str, str]


def coloured(stream: IO[str]) -> bool:
    """Whether to colour what goes there: FORCE_COLOR and NO_COLOR have the last word, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Reporter:
    """Draws progress on standard error, and results on standard output, or on standard error where that is for JSON."""

    def __init__(self, *, json: bool, verbose: int) -> None:
        self.verbose = verbose
        self._results = sys.stderr if json else sys.stdout
        live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._progress: _Live | _Lines = _Live() if live else _Lines()

    def emit(self, event: Event) -> None:
        """Show an event as it happens. From any thread."""
        self._progress.event(event)

    def prepare(self) -> None:
        """Import what drawing results will take, while there is something to wait for."""
        import rich.console
        import rich.table  # noqa: F401

    def quiet(self) -> None:
        """End the live display, so that results can be printed."""
        self._progress.close()

    def say(self, *parts: Part) -> None:
        """One line of results: text, and (text, style) pairs."""
        self.quiet()
        _write(self._results, parts)

    def warn(self, *parts: Part) -> None:
        """One line on standard error."""
        self.quiet()
        _write(sys.stderr, parts)

    def error(self, error: LbdeployError) -> None:
        """What happened, where, in what state things are, and what to type next."""
        self.warn(("error: ", "bad"), (f"{error.node}: " if error.node else "", "name"), error.message)
        for line in error.lines() if isinstance(error, HostsFileError) else ():
            self.warn("  ", line)
        if error.state:
            self.warn(("  now: ", "quiet"), error.state)
        if error.fix:
            self.warn(("  next: ", "todo"), error.fix)
        for line in (error.detail or "").splitlines() if self.verbose else ():
            self.warn((f"  | {line}", "quiet"))

    def plan(self, plan: Plan) -> None:
        """Every change, node by node in the order of the run, with a diff for each file."""
        if not plan.changes:
            self.say(("Nothing to do: ", "good"), f"{_names(plan.nodes)} are as hosts.toml says.")
            return
        for step, batch in enumerate(plan.order, 1):
            self.say((f"Step {step}: ", "name"), _names(batch), " together" if len(batch) > 1 else "")
            for name in batch:
                for change in plan.nodes[name].changes:
                    self._change(name, change)
        self.say()
        self.say(f"{_count(len(plan.changes), 'change')}. To make them: ", ("lbdeploy up", "todo"))

    def _change(self, node: str, change: Change) -> None:
        what = f" {change.kind} {change.name}"
        self.say((f"  {node}  ", "name"), (change.action, "todo"), what, (f"  ({change.reason})", "quiet"))
        for line in (change.diff or "").splitlines():
            self.say((f"      {line}", {"+": "good", "-": "bad", "@": "todo"}.get(line[:1], "quiet")))

    def up(self, outcome: Outcome) -> None:
        """What changed where, who holds which VIP, and what to do next: it fits a screen."""
        if not outcome.plan.changes:
            self.say(("Nothing to do: ", "good"), f"{_names(outcome.plan.nodes)} are as hosts.toml says.")
        alike: dict[str, list[str]] = {}
        for name in outcome.done:
            alike.setdefault(_summary(outcome.plan.nodes[name].changes), []).append(name)
        for summary, names in alike.items():
            self.say(("Changed ", "good"), (_names(names), "name"), ":")
            for line in summary.splitlines():
                self.say(f"  {line}")
        self.verdict(outcome.verdict)
        if outcome.done and outcome.verdict.healthy:
            self.say(("Next: ", "todo"), "lbdeploy verify, after every change to the nodes or the servers")

    def verdict(self, verdict: Verdict) -> None:
        """Where the VIPs are, how the servers do, and what is wrong; with -v also all that is right."""
        if verdict.vips:
            rows = [(str(p.vip.ip), p.vip.network, p.interface, _names(p.holders) or "nobody") for p in verdict.vips]
            self.table(("VIP", "network", "interface", "holder"), rows)
        shown = [each for each in verdict.findings if not each.ok or self.verbose]
        for finding, following in zip(shown, [*shown[1:], None], strict=False):
            self._finding(finding, last=following is None or following.fix != finding.fix)
        self._summary(verdict)

    def _finding(self, finding: Finding, *, last: bool) -> None:
        """One line, and below the last of those with the same remedy what that is."""
        mark, style = ("✓", "good") if finding.ok else ("!", "warn") if finding.warning else ("✗", "bad")
        self.say((f"{mark} ", style), (f"{finding.node}: " if finding.node else "", "name"), finding.detail)
        if finding.fix and not finding.ok and last:
            self.say(("    next: ", "todo"), finding.fix)

    def _summary(self, verdict: Verdict) -> None:
        good = _count(sum(each.ok for each in verdict.findings), "check")
        bad = _count(sum(each.failed for each in verdict.findings), "check")
        warnings = sum(each.warning and not each.ok for each in verdict.findings)
        rest = f", {_count(warnings, 'warning')}." if warnings else "."
        if verdict.healthy:
            self.say(("Healthy: ", "good"), f"{good} passed{rest}")
        else:
            self.say(("Not healthy: ", "bad"), f"{bad} failed, {good} passed{rest}")

    def lints(self, cluster: Cluster, lints: Sequence[Lint]) -> None:
        """The outcome of `check`."""
        for each in lints:
            where = ":".join(str(part) for part in (each.node, each.file, each.line) if part is not None)
            style = "bad" if each.severity == "error" else "warn"
            self.say((f"{each.severity}: ", style), (where, "name"), f": {each.message}")
            self.say(("    next: ", "todo"), each.fix)
        servers = sum(len(frontend.servers) for frontend in cluster.frontends)
        counts = (
            f"{_count(len(cluster.nodes), 'node')}, {_count(len(cluster.vips), 'VIP')}, {_count(servers, 'server')}"
        )
        if not any(each.severity == "error" for each in lints):
            preferred = f"{cluster.preferred.name} is the preferred MASTER."
            self.say((f"{cluster.path.name} is valid: ", "good"), f"{counts}; {preferred}")

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Plain rows; the first column is what they are about."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="quiet")
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for first, *rest in rows:
            table.add_row(Text(first, style="name"), *map(Text, rest))
        self.quiet()
        _console(self._results).print(table)


def _write(stream: IO[str], parts: Iterable[Part]) -> None:
    colour = coloured(stream)
    pairs = [part if isinstance(part, tuple) else (part, "") for part in parts]
    text = "".join(click.style(text, **STYLES[style]) if style and colour and text else text for text, style in pairs)
    print(text, file=stream, flush=True)


def _console(stream: IO[str]) -> Console:
    from rich.console import Console
    from rich.theme import Theme

    width = None if stream.isatty() else 160
    return Console(file=stream, theme=Theme(RICH), highlight=False, width=width, no_color=not coloured(stream))


_PAST = {
    "install": "installed",
    "start": "started",
    "reload": "reloaded",
    "repair": "repaired",
    "enable": "enabled",
    "unmask": "unmasked",
}


def _summary(changes: Iterable[Change]) -> str:
    """What was done on a node, a line for each kind of thing that was done."""
    done: dict[str, list[str]] = {}
    for change in changes:
        verb = "wrote" if change.kind == "file" else _PAST.get(change.action, change.action)
        done.setdefault(verb, []).append(change.name.rpartition("/")[2])
    return "\n".join(f"{verb} {', '.join(names)}" for verb, names in done.items())


def _names(names: Iterable[str]) -> str:
    *rest, last = (*names,) or ("",)
    return f"{', '.join(rest)} and {last}" if rest else last


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


class _Lines:
    """Progress where there is no terminal: a line for each step, with the name of the node in front."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str | None, str] = {}

    def event(self, event: Event) -> None:
        with self._lock:
            if not isinstance(event, Done) and self._last.get(event.who) != event.text:
                self._last[event.who] = event.text
                _write(sys.stderr, [f"{event.who}: {event.text}" if event.who else event.text])

    def close(self) -> None:
        """Nothing is open."""


class _Live:
    """Progress on a terminal: one live line a node, with its current step and how long that has taken."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Event, float]] = {}
        self._note = ""
        self._lock = threading.Lock()
        self._open = False

    @cached_property
    def _live(self) -> Any:
        from rich.live import Live

        return Live(console=_console(sys.stderr), get_renderable=self._draw, refresh_per_second=10, transient=True)

    def event(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Note) or event.who is None:
                self._note = event.text
            else:
                self._rows[event.who] = (event, time.monotonic())
            if not self._open:
                self._open = True
                self._live.start()

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                self._live.stop()
                del self._live
            self._rows.clear()
            self._note = ""

    @cached_property
    def _spinner(self) -> Any:
        from rich.spinner import Spinner

        return Spinner("dots", style="todo")

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table: Table = Table.grid(padding=(0, 1))
        for name, (event, since) in list(self._rows.items()):
            table.add_row(self._mark(event), Text(name, style="name"), Text(event.text), self._age(event, since))
        return Group(table, Text(self._note, style="quiet")) if self._note else table

    def _mark(self, event: Event) -> Any:
        from rich.text import Text

        if isinstance(event, Step):
            return self._spinner
        return Text("✓", style="good") if isinstance(event, Done) and event.ok else Text("✗", style="bad")

    def _age(self, event: Event, since: float) -> Any:
        from rich.text import Text

        seconds = time.monotonic() - since
        return Text(f"{seconds:.0f} s" if isinstance(event, Step) and seconds >= 1 else "", style="quiet")
