"""Errors of the command line's parser, in lbdeploy's words; test_mistakes.py has those that people make."""

from __future__ import annotations

import click
import pytest

from lbdeploy.cli.failures.usage import in_words


@pytest.mark.parametrize(
    ("error", "message", "fix"),
    [
        (click.UsageError("Something else."), "Something else", "lbdeploy up --help"),
        (click.FileError("a.html", "no room"), "Could not open file 'a.html': no room", "lbdeploy up --help"),
        (click.BadParameter("It is odd."), "a value: It is odd", "lbdeploy up --help"),
    ],
)
def test_whatever_the_parser_says_ends_in_something_to_type(
    error: click.ClickException, message: str, fix: str
) -> None:
    found = in_words(error, "up")
    assert (found.message, found.fix, found.exit_code) == (message, fix, 2)
