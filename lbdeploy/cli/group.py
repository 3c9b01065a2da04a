"""Which commands there are, in which order the help lists them, and which module each is in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.file_arguments import spread
from lbdeploy.errors import UsageError

# In the order of the day's work, not of the alphabet.
ORDER = (
    "init",
    "check",
    "render",
    "doctor",
    "plan",
    "up",
    "verify",
    "status",
    "show",
    "rebuild",
    "handover",
    "drill",
    "rollback",
    "down",
    "lab",
    "schema",
    "completion",
)
# Imported only when they are called: the help of all commands says this of them.
SUMMARIES = {
    "init": "Write a hosts.toml, interactively or from flags.",
    "check": "Validate hosts.toml and lint what would be written, offline.",
    "render": "Print every file as it would be on each node, offline.",
    "doctor": "Check for everything that could get in the way of `up`.",
    "plan": "Show what `up` would do, with a diff for each file.",
    "up": "Apply hosts.toml, node by node, and verify.",
    "verify": "Check the cluster as it runs, and say who holds the VIPs.",
    "status": "Show who holds what right now.",
    "show": "Draw the cluster: networks, VIPs, nodes, frontends, servers.",
    "rebuild": "Make a freshly installed host a member again.",
    "handover": "Move the VIPs in a planned way.",
    "drill": "Break something on purpose, and measure the outage.",
    "rollback": "Put the previous generation of files back.",
    "down": "Remove the load balancer, and restore the nodes as they were.",
    "lab": "Rehearse: real nodes for this hosts.toml, on this machine.",
    "schema": "Print the JSON Schema of hosts.toml, for editors.",
    "completion": "Print the completion script for a shell.",
}
# lbdeploy.cli.commands.NAME has a command NAME, except for these.
MODULES = {"plan": "run", "up": "run", "verify": "run"}


class Near(click.Group):
    """A group that knows which command may have been meant."""

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        name = args[0]
        typed = not context.resilient_parsing and not name.startswith("-")  # or a shell asks for completions
        if typed and self.get_command(context, name) is None:
            from difflib import get_close_matches

            close = get_close_matches(name, self.list_commands(context), 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise UsageError(f"there is no command {name}", fix=f"{meant}{context.command_path} --help lists them")
        return super().resolve_command(context, args)


class Commands(Near):
    """The commands of lbdeploy.cli.commands."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Also where a shell asks for completions: several files may follow one -f."""
        return super().make_context(info_name, spread(args, ORDER), *rest, **extra)

    def list_commands(self, context: click.Context) -> list[str]:
        return list(ORDER)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in SUMMARIES:
            return None
        module = import_module(f"lbdeploy.cli.commands.{MODULES.get(name, name)}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, without importing commands for a line of their help: 10 ms of `lbdeploy --help`."""
        rows = [(name, SUMMARIES[name]) for name in ORDER]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(context, args)
        context.ensure_object(App).command = name or ""
        return name, command, rest
