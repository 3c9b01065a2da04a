"""What people see: progress as it happens, plans, findings, errors. The only importer of rich."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from lbdeploy.errors import HostsFileError, LbdeployError
from lbdeploy.events import Done, Event, Note, Step
from lbdeploy.lint import Lint
from lbdeploy.model import Cluster
from lbdeploy.plan import Plan
from lbdeploy.resource import Change
from lbdeploy.rollout import Outcome
from lbdeploy.verdict import Finding, Verdict

# Only the terminal's own colours, which its owner has made readable on light or dark.
THEME = Theme({"good": "green", "bad": "bold red", "warn": "yellow", "name": "bold", "quiet": "dim", "todo": "cyan"})


class Reporter:
    """Draws progress on standard error, and results on standard output, or on standard error where that is for JSON."""

    def __init__(self, *, json: bool, verbose: int) -> None:
        self.verbose = verbose
        self.err = Console(stderr=True, theme=THEME, highlight=False, soft_wrap=not sys.stderr.isatty())
        self.out = self.err if json else Console(theme=THEME, highlight=False, soft_wrap=not sys.stdout.isatty())
        self._progress = _Live(self.err) if self.err.is_terminal and not self.err.is_dumb_terminal else _Lines(self.err)

    def emit(self, event: Event) -> None:
        """Show an event as it happens. From any thread."""
        self._progress.event(event)

    def quiet(self) -> None:
        """End the live display, so that results can be printed."""
        self._progress.close()

    def error(self, error: LbdeployError) -> None:
        """What happened, where, in what state things are, and what to type next."""
        self.quiet()
        where = f"{error.node}: " if error.node else ""
        self.err.print(Text.assemble(("error: ", "bad"), (where, "name"), error.message))
        if isinstance(error, HostsFileError):
            self.err.print("\n".join("  " + escape(line) for line in error.lines()))
        if error.state:
            self.err.print(Text.assemble(("  now: ", "quiet"), error.state))
        if error.fix:
            self.err.print(Text.assemble(("  next: ", "todo"), error.fix))
        if error.detail and self.verbose:
            self.err.print(Text("\n".join("  | " + line for line in error.detail.splitlines()), style="quiet"))

    def plan(self, cluster: Cluster, plan: Plan) -> None:
        """Every change, node by node in the order of the run, with a diff for each file."""
        self.quiet()
        if not plan.changes:
            self.out.print(f"[good]Nothing to do:[/] {_names(plan.nodes)} are as hosts.toml says.")
            return
        for step, batch in enumerate(plan.order, 1):
            together = " together" if len(batch) > 1 else ""
            self.out.print(f"[name]Step {step}:[/] {_names(batch)}{together}")
            for name in batch:
                for change in plan.nodes[name].changes:
                    self._change(name, change)
        self.out.print(f"\n{_count(len(plan.changes), 'change')}. To make them: [todo]lbdeploy up[/]")

    def _change(self, node: str, change: Change) -> None:
        self.out.print(
            Text.assemble(
                ("  " + node, "name"),
                "  ",
                (change.action, "todo"),
                f" {change.kind} {change.name}",
                (f"  ({change.reason})", "quiet"),
            )
        )
        for line in (change.diff or "").splitlines():
            style = {"+": "good", "-": "bad", "@": "todo"}.get(line[:1], "quiet")
            self.out.print(Text("      " + line, style=style))

    def up(self, cluster: Cluster, outcome: Outcome) -> None:
        """What changed where, who holds which VIP, and what to do next: it fits a screen."""
        self.quiet()
        if not outcome.plan.changes:
            self.out.print(f"[good]Nothing to do:[/] {_names(outcome.plan.nodes)} are as hosts.toml says.")
        for name in outcome.done:
            self.out.print(
                Text.assemble(("changed ", "good"), (name, "name"), "  ", _summary(outcome.plan.nodes[name].changes))
            )
        self.verdict(cluster, outcome.verdict)

    def verdict(self, cluster: Cluster, verdict: Verdict) -> None:
        """Where the VIPs are, how the servers do, and what is wrong; with -v also all that is right."""
        self.quiet()
        if verdict.vips:
            self.out.print(_vips(verdict))
        shown = [each for each in verdict.findings if not each.ok or self.verbose]
        for finding in shown:
            self._finding(finding)
        good = sum(each.ok for each in verdict.findings)
        warnings = sum(each.warning and not each.ok for each in verdict.findings)
        rest = f", {_count(warnings, 'warning')}" if warnings else ""
        if verdict.healthy:
            self.out.print(f"[good]Healthy:[/] {_count(good, 'check')} passed{rest}.")
        else:
            bad = sum(each.failed for each in verdict.findings)
            self.out.print(f"[bad]Not healthy:[/] {_count(bad, 'check')} failed, {good} passed{rest}.")

    def _finding(self, finding: Finding) -> None:
        mark, style = ("✓", "good") if finding.ok else ("!", "warn") if finding.warning else ("✗", "bad")
        where = f"{finding.node}: " if finding.node else ""
        self.out.print(Text.assemble((f"{mark} ", style), (where, "name"), finding.detail))
        if finding.fix and not finding.ok:
            self.out.print(Text.assemble(("    next: ", "todo"), finding.fix))

    def lints(self, cluster: Cluster, lints: Sequence[Lint]) -> None:
        """The outcome of `check`."""
        for each in lints:
            style = "bad" if each.severity == "error" else "warn"
            where = ":".join(str(part) for part in (each.node, each.file, each.line) if part is not None)
            self.out.print(Text.assemble((f"{each.severity}: ", style), (where, "name"), f": {each.message}"))
            self.out.print(Text.assemble(("    next: ", "todo"), each.fix))
        servers = sum(len(frontend.servers) for frontend in cluster.frontends)
        counts = (
            f"{_count(len(cluster.nodes), 'node')}, {_count(len(cluster.vips), 'VIP')}, {_count(servers, 'server')}"
        )
        if not any(each.severity == "error" for each in lints):
            self.out.print(
                f"[good]{escape(cluster.path.name)} is valid:[/] {counts}; {cluster.preferred.name} is the preferred MASTER."
            )


def _vips(verdict: Verdict) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="quiet")
    for heading in ("VIP", "network", "interface", "holder"):
        table.add_column(heading)
    for each in verdict.vips:
        held = Text(" and ".join(each.holders) or "nobody", style="good" if len(each.holders) == 1 else "bad")
        table.add_row(Text(str(each.vip.ip), style="name"), each.vip.network, each.interface, held)
    return table


def _summary(changes: Iterable[Change]) -> str:
    """One line of what was done on a node."""
    done: dict[str, list[str]] = {}
    past = {
        "install": "installed",
        "start": "started",
        "reload": "reloaded",
        "set": "set",
        "repair": "repaired",
        "enable": "enabled",
    }
    for change in changes:
        verb = "wrote" if change.kind == "file" else past.get(change.action, change.action)
        done.setdefault(verb, []).append(change.name.rpartition("/")[2])
    return "; ".join(f"{verb} {', '.join(names)}" for verb, names in done.items())


def _names(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


class _Lines:
    """Progress where there is no terminal: a line for each step, with the name of the node in front."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}

    def event(self, event: Event) -> None:
        who, text = (event.who or "", event.text)
        with self._lock:
            if self._last.get(who) == text or (isinstance(event, Done) and not event.ok):
                return
            self._last[who] = text
            self._console.print(f"{who}: {text}" if who else text, markup=False)

    def close(self) -> None:
        """Nothing is open."""


class _Live:
    """Progress on a terminal: one live line a node, with its current step and how long that has taken."""

    def __init__(self, console: Console) -> None:
        self._rows: dict[str, tuple[Event, float]] = {}
        self._notes: str = ""
        self._spinner = Spinner("dots", style="todo")
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=10, transient=True)
        self._lock = threading.Lock()
        self._open = False

    def event(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Note) or event.who is None:
                self._notes = event.text
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
            self._rows.clear()
            self._notes = ""

    def _draw(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for name, (event, since) in list(self._rows.items()):
            table.add_row(self._mark(event), Text(name, style="name"), event.text, self._age(event, since))
        return Group(table, Text(self._notes, style="quiet")) if self._notes else table

    def _mark(self, event: Event) -> RenderableType:
        if isinstance(event, Step):
            return self._spinner
        return Text("✓", style="good") if isinstance(event, Done) and event.ok else Text("✗", style="bad")

    def _age(self, event: Event, since: float) -> Text:
        seconds = time.monotonic() - since
        return Text(f"{seconds:.0f} s" if isinstance(event, Step) and seconds >= 1 else "", style="quiet")
