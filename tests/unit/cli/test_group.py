"""Commands and their help."""

from __future__ import annotations

import click
import pytest
from console import Run

from lbdeploy.cli import command_line


@pytest.mark.parametrize(
    ("typed", "fix"),
    [
        (("chek",), "did you mean check? lbdeploy --help lists them"),
        (("lab", "stat"), "did you mean start? lbdeploy lab --help lists them"),
        (("xyz",), "lbdeploy --help lists them"),
    ],
)
def test_an_unknown_command_is_told_which_may_be_meant(run: Run, typed: tuple[str, ...], fix: str) -> None:
    """The nearest one, if there is one."""
    error = run("--json", *typed).json["error"]
    assert (error["message"], error["fix"]) == (f"there is no command {typed[-1]}", fix)


@pytest.mark.parametrize("args", [("--help",), ("-h",), ("check", "--help"), ("lab", "--help"), ("lab", "up", "-h")])
def test_help_is_printed(run: Run, args: tuple[str, ...]) -> None:
    """Every command has a help that says what it does: exit 0."""
    done = run(*args)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: lbdeploy")


def test_help_lists_the_commands_in_the_order_of_the_work(run: Run) -> None:
    """Commands stand in the order in which one uses them."""
    lines = run("--help").out.partition("Commands:")[2].split("\n")
    names = [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].strip()]
    assert names == [
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
    ]


def test_help_says_of_each_command_what_the_command_says_of_itself(run: Run) -> None:
    """Also of those that are not imported for it."""
    text = run("--help").out
    for name in command_line.cli.list_commands(click.Context(command_line.cli)):
        command = command_line.cli.get_command(click.Context(command_line.cli), name)
        assert command
        assert f"  {name:<12}{command.get_short_help_str(80)}\n" in text


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    """Called without a command, it says what it can do, and ends as bad usage."""
    done = run()
    assert (done.code, done.out) == (2, "")
    assert "Usage: lbdeploy" in done.err
