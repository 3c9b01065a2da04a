"""Asking a person at the terminal what logging in takes; see `lbdeploy.ssh.prompts`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from lbdeploy.common.environment import SUDO_VARIABLE
from lbdeploy.common.sanitize import neutral, safe_text
from lbdeploy.config.credentials import Answers
from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.cli.report.reporter import Reporter


class Terminal:
    """Asks questions on standard error, and reads answers from the terminal. Ctrl-C raises click's Abort.

    `reporter` makes the reporter when it is first needed: rich takes a while to import.
    """

    def __init__(self, reporter: Callable[[], Reporter]) -> None:
        self._reporter = reporter

    def confirm(self, text: str, question: str) -> bool:
        self._reporter().warn(text)
        return confirm(question)

    def secret(self, prompt: str) -> str:
        self._reporter().quiet()
        answer: str = click.prompt(safe_text(prompt), default="", hide_input=True, show_default=False, err=True)
        return answer


def confirm(question: str) -> bool:
    """Ask for yes or no; no is the default. Ctrl-C raises click's Abort."""
    return click.confirm(safe_text(question), err=True)


def approved(question: str, show_more: Callable[[], None] | None) -> bool:
    """Ask for yes or no; no is the default. With d, if there is more to show, it is shown, and asked again."""
    offered = "[y/N/d, which shows new files in full]" if show_more else "[y/N]"
    while True:
        said = str(click.prompt(f"{question} {offered}", default="n", show_default=False, err=True)).strip().lower()
        if said in ("y", "yes", "n", "no"):
            return said[0] == "y"
        if said == "d" and show_more:
            show_more()


def ask(question: str, default: str | None) -> str:
    """Ask for a line; Enter accepts the default. Ctrl-C raises click's Abort."""
    shown = None if default is None else neutral(default)
    answer: str = click.prompt(safe_text(question), default=shown, show_default=bool(shown), err=True)
    return answer.strip()


def answers(reporter: Callable[[], Reporter], *, accept_new: bool, ask_sudo: bool) -> Answers:
    """Where answers come from; with --ask-sudo, the password is asked for at once.

    Raises UsageError without a terminal.
    """
    asker = Terminal(reporter) if sys.stdin.isatty() and sys.stderr.isatty() else None
    made = Answers(asker, accept_new)
    if ask_sudo:
        if not asker:
            fix = f"set {SUDO_VARIABLE}, in the environment"
            raise UsageError("--ask-sudo needs a terminal", state="nothing was contacted", fix=fix)
        made.sudo_password = asker.secret("Password for sudo, on all nodes") or None
    return made
