"""The options that commands share: those that all have, before and after the command, and those of several."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.file_arguments import SEVERAL
from lbdeploy.cli.shell_completion import node_list
from lbdeploy.common import environment
from lbdeploy.common.debian import PACKAGES
from lbdeploy.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


UNITS = {"s": 1, "m": 60, "h": 3600}


class Seconds(click.FloatRange):
    """A time in seconds, such as 60, 60s or 5m. "nan" and "inf", which Python accepts as numbers, are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"([0-9.]+) ?(s|m|min|h)", value) if isinstance(value, str) else None
        try:
            seconds = float(found[1]) * UNITS[found[2][0]] if found else float(value)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        least, most = self.min or 0, self.max or math.inf
        if not least <= seconds <= most:
            self.fail(f"{value} is not from {least:g} to {most:g} seconds.", param, ctx)
        return seconds


def _names(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """The names in NODE[,NODE], from every occurrence of the option. Raises UsageError for an empty name.

    An empty word comes from a script's variable that is not set, and does not mean all nodes.
    """
    names = [name.strip() for each in value for name in each.split(",")]
    # While a shell asks for completions, the last name may be empty.
    if not all(names) and not context.resilient_parsing:
        raise UsageError(
            f"--limit '{','.join(value)}' lacks a node's name",
            state="nothing was contacted",
            fix="name one; without --limit, all nodes are meant",
        )
    context.ensure_object(App).limited = found = tuple(dict.fromkeys(names))
    return found


limit_option = click.option(
    "--limit",
    multiple=True,
    callback=_names,
    metavar="NODE[,NODE]",
    shell_complete=node_list,
    help="Only these nodes; repeatable.",
)
diff_option = click.option("--diff", is_flag=True, help="Show the text of new files, too.")
lock_option = click.option(
    "--lock-wait",
    type=Seconds(0, 86400),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait for another run to end.",
)


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value not in (None, False, 0):
            setattr(context.ensure_object(App), name, value)
        return value

    return callback


def _format(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """The chosen format. Raises UsageError where another kind of output was asked for, too."""
    if value:
        from lbdeploy.cli.report.formats import Format

        app = context.ensure_object(App)
        app.format = Format(value)
        if app.json:
            raise UsageError(f"--format {value} cannot be combined with --json", fix="leave one of them out")


def format_option(*names: str) -> Callable[[F], F]:
    """The option --format: the output is for another program."""
    return click.option(
        "--format",
        type=click.Choice(names),
        callback=_format,
        expose_value=False,
        help="For another program: its format on standard output, text for people on standard error.",
    )


events_option = click.option(
    "--events",
    is_flag=True,
    expose_value=False,
    callback=_set("events"),
    help="Print events as JSON, one a line, as they happen; the last line is the document.",
)
kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="How to reach the Kubernetes API, for kubectl.",
)
force_option = click.option(
    "--force-last", is_flag=True, help="Change a node even if no other node could take over meanwhile."
)


def ignore_option(function: F) -> F:
    """The option --ignore."""
    from lbdeploy.operations.doctor.checklist import IGNORED_BY_UP

    return click.option(
        "--ignore",
        multiple=True,
        type=click.Choice(IGNORED_BY_UP),
        metavar="CHECK",
        help=f"Continue even if this check fails; repeatable: {', '.join(IGNORED_BY_UP)}.",
    )(function)


def package_options(function: Any) -> Any:
    """The options --upgrade and --reinstall."""
    upgrade = click.option(
        "--upgrade", is_flag=True, help="Upgrade packages to the newest version that the nodes' apt offers."
    )
    reinstall = click.option(
        "--reinstall", multiple=True, type=click.Choice(PACKAGES), help="Reinstall this package; may be repeated."
    )
    return upgrade(reinstall(function))


def _more(context: click.Context, parameter: click.Parameter, value: int) -> int:
    """Add up the -v before and after the command."""
    context.ensure_object(App).verbose += value
    return value


def _add_files(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    """Collect the files given before and after the command. Raises UsageError for a command that takes only one."""
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
                "type": click.Path(),  # so that shells complete paths
                "multiple": True,
                "callback": _add_files,
                "help": f"The hosts.toml to use [./hosts.toml; {environment.FILE}]; "
                "some commands take many: -f sites/*.toml",
            },
        ),
        (
            ("-v", "--verbose"),
            {
                "count": True,
                "callback": _more,
                "help": "Show more: remote output, passed checks; -vv: scripts sent to the nodes.",
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
            {"is_flag": True, "callback": _set("accept_new"), "help": "Trust host keys that are not in known_hosts."},
        ),
    ]
    for names, settings in reversed(options):
        function = click.option(*names, expose_value=False, **settings)(function)
    return function


def in_fleets(function: F) -> F:
    """The options of commands that take many clusters; such a run replaces the function.

    For a function that gets its App by `click.pass_obj`.
    """

    @wraps(function)
    def either(app: App, /, **how: Any) -> None:
        if app.fleet:
            if app.format or app.events:
                which = "--events" if app.events else "--format"
                raise UsageError(f"{which} cannot be combined with several files", fix="name one file, or use --json")
            from lbdeploy.cli.commands.fleet import fleet

            fleet(app, **how)
        else:
            function(app, **how)

    count = click.IntRange(1, 1000)
    options: dict[str, dict[str, Any]] = {
        "--parallel": {"type": count, "metavar": "N", "help": "With several files: N clusters at a time."},
        "--canary": {"type": count, "metavar": "N", "help": "N clusters first, then batches, until one fails."},
        "--scheduler": {"metavar": "ADDRESS", "help": "Run on the workers of this Dask scheduler: tcp://HOST:8786."},
    }
    for name, settings in reversed(options.items()):
        either = click.option(name, expose_value=False, callback=_set(name[2:]), **settings)(either)
    return cast("F", either)
