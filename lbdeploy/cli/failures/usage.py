"""What is wrong with a command line, in words, with what was meant. Imported only for one that is wrong."""

from __future__ import annotations

import shlex
from difflib import get_close_matches

import click

from lbdeploy.errors import UsageError

# The options with which commands take what is given to others as an argument.
OPTIONS = {
    **dict.fromkeys(("doctor", "plan", "up", "verify", "status", "down", "rollback"), "--limit"),
    "handover": "--to",
}


def in_words(error: click.ClickException, command: str) -> UsageError:
    """The error that click has found, as one of lbdeploy's."""
    context = getattr(error, "ctx", None)
    typed = context.command_path if context else f"lbdeploy {command}".rstrip()
    message, fix = error.format_message().rstrip("."), ""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        message = f"{typed} needs a command"  # click's message is all of the help
    elif isinstance(error, click.NoSuchOption):
        message, fix = _no_option(error, typed)
    elif isinstance(error, click.MissingParameter):
        message = f"{typed} needs {_name(error)}"
    elif isinstance(error, click.BadOptionUsage):
        message = f"{error.option_name} needs a value"
    elif isinstance(error, click.BadParameter):
        message, fix = _bad_value(error)
    elif isinstance(error, click.UsageError) and "unexpected extra argument" in message:
        message, fix = _too_many(error, command)
    return UsageError(message, fix=fix or f"{typed} --help")


def _no_option(error: click.NoSuchOption, typed: str) -> tuple[str, str]:
    # click compares with long options alone, and only those of this command.
    close = error.possibilities or []
    fix = f"did you mean {close[0]}?" if close else ""
    if not fix and typed == "lbdeploy" and error.option_name.startswith("--"):
        fix = f"if it is an option of a command, behind that: lbdeploy COMMAND {error.option_name}"
    return f"{typed} has no option {error.option_name}", fix


def _bad_value(error: click.BadParameter) -> tuple[str, str]:
    """A value that is not one of several, or not of its type."""
    parameter = error.param
    kind = parameter.type if parameter else None
    if isinstance(kind, click.Choice):
        said = next((word for word in _quoted(error.message)), "")
        close = get_close_matches(said, kind.choices, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        what = f"{_name(error)} can't be {said!r}"
        if isinstance(parameter, click.Argument) and error.ctx:
            what = f"{error.ctx.info_name} has no {_name(error).lower()} {said}"
        return what, f"{meant}{'it is one of' if not meant else 'Known are:'} {', '.join(kind.choices)}"
    return f"{_name(error)}: {error.message.rstrip('.')}", ""


def _too_many(error: click.UsageError, command: str) -> tuple[str, str]:
    """Words that a command does not take; nodes, where they are given with --limit."""
    inside = error.message.partition("(")[2].rpartition(")")[0]
    words = inside.split()
    option = OPTIONS.get(command, "")
    fix = f"lbdeploy {command} {option} {shlex.quote(','.join(words))}" if option else ""
    return f"lbdeploy {command} takes no argument {inside}", fix


def _name(error: click.BadParameter) -> str:
    """An option by its name, an argument by its metavar."""
    parameter = error.param
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return str(parameter.human_readable_name).strip("[]") if parameter else "a value"


def _quoted(message: str) -> list[str]:
    return message.split("'")[1:2]
