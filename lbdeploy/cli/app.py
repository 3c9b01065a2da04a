"""What every command shares: the file, the reporter, and how a command ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbdeploy.cli.output import show_document
from lbdeploy.common import environment
from lbdeploy.common.paths import absolute
from lbdeploy.common.version import __version__
from lbdeploy.errors import LbdeployError
from lbdeploy.operations.arguments import chosen

if TYPE_CHECKING:
    from lbdeploy.cli.hints import Advice
    from lbdeploy.cli.report.formats import Format
    from lbdeploy.cli.report.reporter import Reporter
    from lbdeploy.cli.run_log import Logbook
    from lbdeploy.config.credentials import Answers
    from lbdeploy.config.model import Cluster, Ssh
    from lbdeploy.events import Event
    from lbdeploy.operations.exit_status import ExitStatus
    from lbdeploy.rollout.request import Origin

FORMAT_VERSION = 1


class App:
    """One invocation of lbdeploy: its options, which may stand before or after the command, and what it uses."""

    def __init__(self) -> None:
        self.file = self._default = Path(os.environ.get(environment.FILE) or "hosts.toml")
        self.files: list[str] = []  # the values of -f, in order
        self.parallel = 0
        self.canary = 0
        self.scheduler = ""
        self.verbose = 0
        self.json = False
        # Whether events are printed as JSON while they happen, a line each; the document is the last line.
        self.events = False
        self.format: Format | None = None  # the format for another program, instead of text or JSON
        self.lab = False
        self.muted = False
        self.accept_new = False
        self.ask_sudo = False
        self.command = ""
        self.limited: tuple[str, ...] = ()
        # The exit code of the command itself, known before its output is written, which may fail.
        self.outcome: int | None = None
        self.declined = False  # whether somebody said no to it
        self.exit_code = 0
        self.started = time.monotonic()

    @property
    def fleet(self) -> bool:
        """Whether this is a run over many clusters: several files are named, or an option that only such a run has."""
        return len(self.files) > 1 or bool(self.parallel or self.canary or self.scheduler)

    @property
    def for_programs(self) -> bool:
        """Whether a program reads standard output; text for people goes to standard error then."""
        return self.json or self.events or self.format is not None

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster of the file. Raises UsageError and HostsFileError."""
        from lbdeploy.config.loading.known import load

        return load(self.file, self.text)

    @cached_property
    def text(self) -> str:
        """The text of the file. Raises UsageError.

        It is read once, so that the nodes keep the very text that their configuration was made from.
        """
        from lbdeploy.config.loading.text import read

        return read(self.file)

    def advised(self, text: str) -> str:
        """The text, with this invocation's -f, --lab and --limit added to each lbdeploy command in it."""
        return self.advice_for(*self.files).of(text)

    def advice_for(self, *files: str | Path) -> Advice:
        """Advice about these files: those of this invocation, or one of them in a run over many clusters."""
        from lbdeploy.cli.hints import Advice

        named = tuple(str(file) for file in files if self.fleet or Path(file) != self._default)
        return Advice(self.command, named, self.lab, self.limited)

    @cached_property
    def log(self) -> Logbook:
        """The log of this run, created at the first event: commands that contact nothing have none."""
        from lbdeploy.cli.failures.crash import watch_over
        from lbdeploy.cli.run_log import Logbook

        log = Logbook(sys.argv, ", ".join(str(absolute(Path(file))) for file in self.files or [str(self.file)]))
        watch_over(log)
        return log

    @cached_property
    def reporter(self) -> Reporter:
        """The reporter, created when first needed, since importing rich takes a while."""
        from lbdeploy.cli.report.reporter import Reporter

        return Reporter(json=self.for_programs, verbose=self.verbose, advise=self.advised)

    @cached_property
    def ssh(self) -> Ssh:
        """The SSH settings: the file's, or the lab's with --lab, for which this process moves into the lab."""
        if not self.lab:
            return replace(self.cluster.ssh, answers=self.answers)
        from lbdeploy.events import Note
        from lbdeploy.lab import commands as lab

        ssh = lab.enter(self.cluster)
        if not lab.is_current(self.cluster):
            follow = self.advised("lbdeploy lab up")
            self.emit(
                Note(None, f"the lab was started for hosts other than those in the file now; to update it: {follow}")
            )
        return replace(ssh, answers=self.answers)

    @cached_property
    def answers(self) -> Answers:
        """The person's answers that logging in needs, such as the password for sudo. Raises UsageError."""
        from lbdeploy.cli.prompts import answers

        return answers(lambda: self.reporter, accept_new=self.accept_new, ask_sudo=self.ask_sudo)

    @cached_property
    def origin(self) -> Origin:
        """Who started this run, and from which hosts.toml: nodes record it with each change."""
        from lbdeploy.rollout.request import origin

        return origin(self.text)

    def emit(self, event: Event) -> None:
        """Log an event, and show it unless something else draws on the screen."""
        if not self.muted:
            self.log.event(event)
            self.reporter.emit(event)
            if self.events:
                self._print_event(event)

    def _print_event(self, event: Event) -> None:
        from lbdeploy.cli.event_lines import as_document

        if line := as_document(event):
            show_document(line)

    def limit(self, names: Sequence[str]) -> tuple[str, ...]:
        """The nodes named by --limit, () for all. Raises UsageError for one that hosts.toml does not have."""
        return chosen(names, "node", [node.name for node in self.cluster.nodes], f" in {self.file}")

    def node(self, name: str) -> str:
        """The one node of that name. Raises UsageError where hosts.toml has none."""
        return chosen([name], "node", [node.name for node in self.cluster.nodes], f" in {self.file}")[0]

    def group(self, name: str) -> str:
        """The group of VIPs of that name. Raises UsageError where hosts.toml has none."""
        return chosen([name], "group", [each.name for each in self.cluster.vrrp.groups], f" in {self.file}")[0]

    def finish(self, exit_code: int, **document: Any) -> None:
        """End the command: print the document where a program asked for it."""
        self.outcome = exit_code
        self._log_end(exit_code, document)
        self.exit_code = self.print_document(exit_code, document)

    def fail(self, error: LbdeployError) -> int:
        """End the command with an error: show it, print it where a program asked for it, return the exit code."""
        self.outcome = error.exit_code
        self.declined = error.declined
        self.complain(error)
        document = {"error": error.to_json()}
        self._log_end(error.exit_code, document)
        return self.print_document(error.exit_code, document)

    def complain(self, error: LbdeployError) -> None:
        """Show an error, and log it."""
        self.write_down(error)
        self.reporter.error(error)

    def write_down(self, error: LbdeployError) -> None:
        """Add an error to the log, if there is one."""
        if "log" in self.__dict__:
            where = f"{error.node}: " if error.node else ""
            lines = [f"{type(error).__name__}: {where}{error.message}", f"now: {error.state}"]
            lines += [f"next: {self.advised(error.fix or '')}"]
            self.log.write("\n    ".join([*lines, *(error.detail or "").splitlines()]))

    def _log_end(self, exit_code: int, document: dict[str, Any]) -> None:
        """Add to the log, if there is one, how the command ends: `history` reads it."""
        if "log" in self.__dict__:
            from lbdeploy.operations.history.endings import line

            self.log.write(line(self._whole(exit_code, document)))

    def close(self, *, heard: bool = True) -> None:
        """End the log; after a failure say where it is, or why there is none.

        `heard`: standard error can still be read.
        """
        if "log" in self.__dict__:
            from lbdeploy.operations.exit_status import CHANGES_PENDING

            path, trouble = self.log.close()
            if heard and self.exit_code not in (0, CHANGES_PENDING) and not self.declined:
                self.reporter.warn(("  log: ", "quiet"), str(path) if path else f"none could be written: {trouble}")

    def print_document(self, exit_code: int, document: dict[str, Any]) -> int:
        """Print the document for programs on standard output.

        Returns the exit code, since a format may have exit codes of its own.
        """
        if not self.for_programs:
            return exit_code
        whole = self._whole(exit_code, document)
        if self.format:
            name = self.cluster.name if "cluster" in self.__dict__ else str(self.file)
            show_document({**whole, "cluster": name}, self.format.text)
            return self.format.exit_code(whole)
        show_document({"event": "end", **whole} if self.events else whole)
        return exit_code

    def _whole(self, exit_code: int, document: dict[str, Any]) -> dict[str, Any]:
        """The document, with the keys that every command's document has."""
        took = round(time.monotonic() - self.started, 3)
        head = {"format_version": FORMAT_VERSION, "command": self.command, "ok": exit_code == 0}
        about = {
            "version": __version__,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "file": ", ".join(self.files or [str(self.file)]),
            **({"cluster": self.cluster.name} if "cluster" in self.__dict__ else {}),
        }
        advised = self.advice_for(*self.files).within(document)
        return {**head, "exit_code": exit_code, "duration_s": took, **about, **advised}


def end(app: App, exit_status: ExitStatus, tell: Callable[[], None]) -> None:
    """End a command: `tell` prints what was found; then its error is shown, unless `tell` has shown it already."""
    app.outcome = exit_status.exit_code
    tell()
    if exit_status.error:
        (app.write_down if exit_status.shown else app.complain)(exit_status.error)
    app.finish(exit_status.exit_code, **exit_status.document)
