"""The commands as data, for the pages that tell of them: what click knows, without how it would print it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import click

from lbdeploy.cli.command_line import cli


@dataclass(frozen=True)
class Text:
    """A paragraph of a help text; `literal`: lines as they are."""

    text: str
    literal: bool


@dataclass(frozen=True)
class Command:
    """A command: `name` is its whole path, `arguments` as its usage line has them, `options` as (names, meaning)."""

    name: str
    arguments: str
    texts: tuple[Text, ...]
    options: tuple[tuple[str, str], ...]
    group: bool

    @property
    def usage(self) -> str:
        """How it is typed."""
        return " ".join(filter(None, (self.name, self.options and "[OPTIONS]", self.arguments)))


def commands() -> Iterator[Command]:
    """Every command below lbdeploy, in the order of the help; a group before its own."""
    return _below(click.Context(cli, info_name="lbdeploy"), cli)


def root() -> Command:
    """lbdeploy itself, with the options that every command has."""
    return _command(click.Context(cli, info_name="lbdeploy"), cli, common=frozenset())


def _below(context: click.Context, group: click.Group) -> Iterator[Command]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        inner = click.Context(command, info_name=name, parent=context)
        yield _command(inner, command, frozenset(flag for each in cli.params for flag in each.opts))
        if isinstance(command, click.Group):
            yield from _below(inner, command)


def _command(context: click.Context, command: click.Command, common: frozenset[str]) -> Command:
    own = [each for each in command.params if not set(each.opts) & common]
    records = [r for each in own if isinstance(each, click.Option) and (r := each.get_help_record(context))]
    pieces = [piece for each in own if isinstance(each, click.Argument) for piece in each.get_usage_pieces(context)]
    group = isinstance(command, click.Group)
    arguments = " ".join(pieces) + ("COMMAND" if group else "")
    return Command(context.command_path, arguments, tuple(texts(command)), tuple(records), group)


def texts(command: click.Command) -> Iterator[Text]:
    """The paragraphs of a command's help; click keeps the lines of those that begin with a backspace."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield Text(paragraph[2:], literal=True)
        else:
            yield Text(" ".join(paragraph.split()), literal=False)
