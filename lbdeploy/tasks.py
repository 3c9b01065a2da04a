"""The commands of lbdeploy as Fabric tasks: a fabfile that says `from lbdeploy.tasks import *` has them all.

They are generated from the commands themselves. Each takes the command's arguments, and runs it as a separate process:
output, questions, Ctrl-C, and the exit code, which fab passes on, are the command's. See docs/library.md.
"""

from __future__ import annotations

import inspect
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click
from fabric import Task
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument

from lbdeploy.cli import output
from lbdeploy.cli.command_line import cli

NO_TASKS = ("completion", "schema", "lab-exec")  # about the command line itself, or with arbitrary arguments


class CommandTask(Task):  # type: ignore[misc]  # fabric has no types
    """A command of lbdeploy. As a function: `up(context, limit="lb1", lab=True)`; a failure raises invoke's Exit."""

    def __init__(self, path: tuple[str, ...], command: click.Command) -> None:
        self.parameters = command.params

        def body(context: Context, **given: Any) -> None:
            _run(context, [*path, *_words(command.params, given)])

        body.__name__ = "_".join(path)
        body.__doc__ = inspect.cleandoc(command.help or "").partition("\n\n\b")[0]
        super().__init__(body, name="-".join(path), positional=())

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The arguments of the command, instead of those of a function's signature."""
        return [_argument(each) for each in self.parameters]


def _argument(parameter: click.Parameter) -> Argument:
    flag = getattr(parameter, "is_flag", False)
    several = parameter.multiple or parameter.nargs == -1
    count = getattr(parameter, "count", False)
    names = sorted((each.lstrip("-").replace("_", "-") for each in parameter.opts), key=len, reverse=True)
    return Argument(
        names=names,
        attr_name=parameter.name if parameter.name != names[0] else None,
        kind=bool if flag else int if count else list if several else str,
        default=False if flag else 0 if count else None,
        incrementable=count,
        positional=isinstance(parameter, click.Argument)
        and parameter.required
        and not several,  # fab has no such words
        help=getattr(parameter, "help", None),
    )


def _words(parameters: list[click.Parameter], given: dict[str, Any]) -> Iterator[str]:
    """The command-line words for these values. Raises TypeError for a parameter that the command does not have."""
    if unknown := given.keys() - {each.name for each in parameters}:
        raise TypeError(f"no argument {', '.join(sorted(unknown))}")
    for each in sorted(parameters, key=lambda each: isinstance(each, click.Argument)):
        value = given.get(each.name or "")
        if isinstance(each, click.Argument):
            several = value if isinstance(value, list | tuple) else [] if value is None else [value]
            yield from ("--", *map(str, several)) if several else ()
        elif value is not None:
            yield from _option(each, value)


def _option(parameter: click.Parameter, value: Any) -> Iterator[str]:
    """An option with its value, repeated for each value of a list."""
    option = max(parameter.opts, key=len)
    if getattr(parameter, "is_flag", False) or getattr(parameter, "count", False):
        yield from [option] * int(value)
        return
    yield from (f"{option}={one}" for one in (value if isinstance(value, list | tuple) else [value]))


def _run(context: Context, words: list[str]) -> None:
    """Run lbdeploy; with fab's --dry, only print the command. Raises Exit where it fails."""
    sys.stdout.flush()
    if context.config.run.dry:
        output.show(shlex.join(["lbdeploy", *words]))
    elif code := _ended(subprocess.Popen([sys.executable, "-m", "lbdeploy", *words])):
        raise Exit(code=code)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code, as a shell would give it. The process receives Ctrl-C itself, and decides how to react."""
    while True:
        with suppress(KeyboardInterrupt):
            code = process.wait()
            return code if code >= 0 else 128 - code


def _tasks(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[CommandTask]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        here = (*path, name)
        if isinstance(command, click.Group):
            yield from _tasks(command, here)
        elif command and "-".join(here) not in NO_TASKS:
            yield CommandTask(here, command)


globals().update({each.__name__: each for each in _tasks(cli)})
__all__ = [name for name, each in globals().items() if isinstance(each, CommandTask)]
