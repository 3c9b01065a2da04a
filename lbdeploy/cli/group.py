"""The commands: their order in the help, and the module of each."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.file_arguments import spread
from lbdeploy.errors import UsageError

# In the order in which they are usually used.
ORDER = (
    "init",
    "adopt",
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
    "drain",
    "undrain",
    "servers",
    "drill",
    "rollback",
    "down",
    "history",
    "export",
    "bundle",
    "lab",
    "schema",
    "completion",
)
# A command's module is imported only when the command is called; the list of commands shows these summaries.
SUMMARIES = {
    "init": "Write a hosts.toml, interactively or from flags.",
    "adopt": "Write a hosts.toml for a pair that was built by hand.",
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
    "drain": "Take a server out of use, before work on it.",
    "undrain": "Use a server again that was drained.",
    "servers": "Compare the servers of hosts.toml with the cluster's own.",
    "drill": "Break something on purpose, and measure the outage.",
    "rollback": "Put the previous generation of files back.",
    "down": "Remove the load balancer, and restore the nodes as they were.",
    "history": "Show runs, moves and drills: who, when, what it cost.",
    "export": "Write alert rules and a dashboard, made from hosts.toml.",
    "bundle": "Collect what a colleague needs to help, without secrets.",
    "lab": "Rehearse: real nodes for this hosts.toml, on this machine.",
    "schema": "Print the JSON Schema of hosts.toml, for editors.",
    "completion": "Print the completion script for a shell.",
}
# The module of a command has the command's name, except for these.
MODULES = {"plan": "run", "up": "run", "verify": "run", "undrain": "drain"}


# Those that may be in the middle of changing something when they are interrupted; `lab` changes its own nodes.
CHANGING = frozenset(("up", "rebuild", "handover", "drain", "undrain", "drill", "rollback", "down", "lab"))
# What the same is called elsewhere.
SYNONYMS = {
    "apply": "up",
    "deploy": "up",
    "install": "up",
    "converge": "up",
    "sync": "up",
    "diff": "plan",
    "preview": "plan",
    "preflight": "doctor",
    "validate": "check",
    "lint": "check",
    "test": "verify",
    "health": "verify",
    "template": "render",
    "failover": "handover",
    "switchover": "handover",
    "move": "handover",
    "watch": "status",
    "ps": "status",
    "chaos": "drill",
    "undo": "rollback",
    "revert": "rollback",
    "destroy": "down",
    "remove": "down",
    "uninstall": "down",
    "reinstall": "rebuild",
    "replace": "rebuild",
    "new": "init",
    "create": "init",
}


class Near(click.Group):
    """A group that suggests a command for a misspelt one, or for one of another tool."""

    synonyms: ClassVar[dict[str, str]] = {}

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        name = args[0]
        # While a shell asks for completions, nothing is suggested.
        typed = not context.resilient_parsing and not name.startswith("-")
        if typed and self.get_command(context, name) is None:
            raise self._unknown(context, name)
        return super().resolve_command(context, args)

    def _unknown(self, context: click.Context, name: str) -> UsageError:
        """The error for a command that there is not, with the one that is meant."""
        from difflib import get_close_matches

        if f"--{name}" in (option for each in self.params for option in each.opts) or name == "help":
            return UsageError(f"there is no command {name}", fix=f"{context.command_path} --{name}")
        known = self.list_commands(context)
        synonym = self.synonyms.get(name, "")
        close = [synonym] if synonym in known else get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        return UsageError(f"there is no command {name}", fix=f"{meant}{context.command_path} --help lists them")


class Commands(Near):
    """The commands of lbdeploy.cli.commands."""

    synonyms = SYNONYMS

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Expand the files after -f first, also while a shell asks for completions."""
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
        """Like click's own, but without importing each command for its summary, which would take 10 ms."""
        rows = [(name, SUMMARIES[name]) for name in ORDER]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(context, args)
        context.ensure_object(App).command = name or ""
        return name, command, rest
