"""Which commands there are, in which order the help lists them, and where those are that have a module of their own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from lbdeploy.cli.app import App

# In the order of the day's work, not of the alphabet.
ORDER = ("init", "check", "render", "plan", "up", "verify", "rollback", "lab", "schema", "completion")
# Imported only when they are called or listed: lbdeploy.cli.NAME has a command NAME.
ELSEWHERE = ("init", "rollback", "lab", "schema", "completion")


class Commands(click.Group):
    """Commands of this package, and those of its modules."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(ORDER)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in ELSEWHERE:
            command: click.Command = getattr(import_module(f"lbdeploy.cli.{name}"), name)
            return command
        return super().get_command(context, name)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(context, args)
        context.ensure_object(App).command = name or ""
        return name, command, rest
