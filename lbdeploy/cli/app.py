"""What every command shares: the global options, the file, the reporter, and how a command ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from lbdeploy.cli.files import SEVERAL
from lbdeploy.errors import LbdeployError, UsageError
from lbdeploy.options import chosen

if TYPE_CHECKING:
    from lbdeploy.answers import Answers
    from lbdeploy.events import Event
    from lbdeploy.logbook import Logbook
    from lbdeploy.model import Cluster, Ssh
    from lbdeploy.origin import Origin
    from lbdeploy.report import Reporter

FORMAT_VERSION = 1
CHANGES_PENDING = 3  # is no failure
F = TypeVar("F", bound=Callable[..., Any])


class App:
    """One invocation. Its options may have stood before or after the command."""

    def __init__(self) -> None:
        self.file = Path(os.environ.get("LBDEPLOY_FILE") or "hosts.toml")
        self.files: list[str] = []  # as they were typed
        self.parallel = 0
        self.canary = 0
        self.scheduler = ""
        self.verbose = 0
        self.json = False
        self.lab = False
        self.muted = False
        self.accept_new = False
        self.ask_sudo = False
        self.command = ""
        self.exit_code = 0
        self.started = time.monotonic()

    @property
    def fleet(self) -> bool:
        """Whether this is a run over many clusters: several files were named, or something that only such a run has."""
        return len(self.files) > 1 or bool(self.parallel or self.canary or self.scheduler)

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster of the file. Raises UsageError and HostsFileError."""
        from lbdeploy.hosts import load

        return load(self.file)

    @cached_property
    def log(self) -> Logbook:
        """Made when something happens: commands that contact nothing have none."""
        from lbdeploy.cli.crash import watch_over
        from lbdeploy.logbook import Logbook

        log = Logbook(sys.argv, ", ".join(os.path.abspath(file) for file in self.files or [str(self.file)]))
        watch_over(log)
        return log

    @cached_property
    def reporter(self) -> Reporter:
        """Made when first needed: rich takes a while to import."""
        from lbdeploy.report import Reporter

        return Reporter(json=self.json, verbose=self.verbose)

    @cached_property
    def ssh(self) -> Ssh:
        """How to log in; with --lab, this process has moved into the lab, and it is the lab's way."""
        if not self.lab:
            return replace(self.cluster.ssh, answers=self.answers)
        from lbdeploy import lab
        from lbdeploy.events import Note

        ssh = lab.enter(self.cluster)
        if not lab.is_current(self.cluster):
            self.emit(
                Note(None, "the lab was started for other hosts than the file has now; to follow: lbdeploy lab up")
            )
        return replace(ssh, answers=self.answers)

    @cached_property
    def answers(self) -> Answers:
        """What logging in takes and only a person knows. Raises UsageError."""
        from lbdeploy.cli.asking import answers

        return answers(self)

    @cached_property
    def origin(self) -> Origin:
        """Who asks the nodes for changes, and with which file."""
        from lbdeploy.origin import origin

        return origin(self.file.read_text(encoding="utf-8"))

    def emit(self, event: Event) -> None:
        """Show an event, and take note of it; not while something else has the screen."""
        if not self.muted:
            self.log.event(event)
            self.reporter.emit(event)

    def limit(self, names: str | None) -> tuple[str, ...]:
        """The nodes named by --limit. Raises UsageError for one that hosts.toml does not have."""
        wanted = [name.strip() for name in (names or "").split(",") if name.strip()]
        return chosen(wanted, "node", [node.name for node in self.cluster.nodes], f" in {self.file}") if wanted else ()

    def finish(self, exit_code: int, **document: Any) -> None:
        """End the command: print the JSON document where it was asked for."""
        self.exit_code = exit_code
        self.print_json(exit_code, document)

    def fail(self, error: LbdeployError) -> int:
        """End the command with an error: show it, print it as JSON where that was asked for, return the exit code."""
        self.print_json(error.exit_code, {"error": error.to_json()})
        self.complain(error)
        return error.exit_code

    def complain(self, error: LbdeployError) -> None:
        """Show an error, and write it down."""
        self.write_down(error)
        self.reporter.error(error)

    def write_down(self, error: LbdeployError) -> None:
        """Into the log, if there is one."""
        if "log" in self.__dict__:
            where = f"{error.node}: " if error.node else ""
            told = [f"{type(error).__name__}: {where}{error.message}", f"now: {error.state}", f"next: {error.fix}"]
            self.log.write("\n    ".join([*told, *(error.detail or "").splitlines()]))

    def close(self, *, heard: bool = True) -> None:
        """End the log; after a failure say where it is, or why there is none. `heard`: somebody still listens."""
        if "log" in self.__dict__:
            path, trouble = self.log.close()
            if heard and self.exit_code not in (0, CHANGES_PENDING):
                self.reporter.warn(("  log: ", "quiet"), str(path) if path else f"none could be written: {trouble}")

    def print_json(self, exit_code: int, document: dict[str, Any]) -> None:
        """One document on standard output, if --json was given."""
        if self.json:
            head = {"format_version": FORMAT_VERSION, "command": self.command, "ok": exit_code == 0}
            took = round(time.monotonic() - self.started, 3)
            import json

            print(json.dumps({**head, "exit_code": exit_code, "duration_s": took, **document}, ensure_ascii=False))


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value not in (None, False, 0):
            setattr(context.ensure_object(App), name, value)
        return value

    return callback


def _more(context: click.Context, parameter: click.Parameter, value: int) -> int:
    """-v before the command and after it add up."""
    context.ensure_object(App).verbose += value
    return value


def _add_files(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    """Files from before and after the command. Raises UsageError for a command that takes only one."""
    app = context.ensure_object(App)
    app.files = list(dict.fromkeys((*app.files, *value)))
    app.file = Path(app.files[-1]) if app.files else app.file
    if len(app.files) > 1 and not isinstance(context.command, click.Group) and context.info_name not in SEVERAL:
        raise UsageError(f"{context.info_name} takes one file", fix=f"several can be given to {', '.join(SEVERAL)}")


def global_options(function: F) -> F:
    """The options that are accepted before and after every command."""
    options: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (
            ("-f", "--file"),
            {
                "metavar": "FILE",
                "type": click.Path(),  # so that shells complete it
                "multiple": True,
                "callback": _add_files,
                "help": "The hosts.toml to use [./hosts.toml; LBDEPLOY_FILE]; several for some: -f sites/*.toml",
            },
        ),
        (
            ("-v", "--verbose"),
            {
                "count": True,
                "callback": _more,
                "help": "Say more: remote output, checks that passed; -vv: scripts on the wire.",
            },
        ),
        (
            ("--json",),
            {"is_flag": True, "callback": _set("json"), "help": "Print one JSON document on standard output."},
        ),
        (("--lab",), {"is_flag": True, "callback": _set("lab"), "help": "Run inside the rehearsal lab of this file."}),
        (
            ("--ask-sudo",),
            {"is_flag": True, "callback": _set("ask_sudo"), "help": "Ask for sudo's password, once for all nodes."},
        ),
        (
            ("--accept-new",),
            {"is_flag": True, "callback": _set("accept_new"), "help": "Trust host keys that known_hosts lacks."},
        ),
    ]
    for names, settings in reversed(options):
        function = click.option(*names, expose_value=False, **settings)(function)
    return function


def in_fleets(function: F) -> F:
    """A command that takes many clusters, and what it takes besides then. For what `click.pass_obj` gives its App."""

    @wraps(function)
    def either(app: App, /, **how: Any) -> None:
        if app.fleet:
            from lbdeploy.cli.sites import fleet

            fleet(app, **how)
        else:
            function(app, **how)

    count = click.IntRange(1, 1000)
    options: dict[str, dict[str, Any]] = {
        "--parallel": {"type": count, "metavar": "N", "help": "With several files: N clusters at a time."},
        "--canary": {"type": count, "metavar": "N", "help": "N clusters first, then batches, until one fails."},
        "--scheduler": {"metavar": "ADDRESS", "help": "Let the workers of this Dask scheduler do it: tcp://HOST:8786."},
    }
    for name, settings in reversed(options.items()):
        either = click.option(name, expose_value=False, callback=_set(name[2:]), **settings)(either)
    return cast("F", either)
