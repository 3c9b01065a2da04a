"""Asking a person at the terminal what logging in takes; see `lbdeploy.questions`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lbdeploy.answers import Answers
from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.cli.app import App


class Terminal:
    """Questions on standard error, and answers from the terminal. Ctrl-C raises click's Abort."""

    def __init__(self, app: App) -> None:
        self._app = app

    def confirm(self, text: str, question: str) -> bool:
        self._app.reporter.warn(text)
        return click.confirm(question, err=True)

    def secret(self, prompt: str) -> str:
        self._app.reporter.quiet()
        answer: str = click.prompt(prompt, default="", hide_input=True, show_default=False, err=True)
        return answer


def answers(app: App) -> Answers:
    """Nothing is asked yet, but what --ask-sudo wants. Raises UsageError where that can't be."""
    asker = Terminal(app) if sys.stdin.isatty() and sys.stderr.isatty() else None
    made = Answers(asker, app.accept_new)
    if app.ask_sudo:
        if not asker:
            fix = "set LBDEPLOY_SUDO_PASSWORD, in the environment"
            raise UsageError("--ask-sudo needs a terminal", state="nothing was contacted", fix=fix)
        made.sudo_password = asker.secret("Password for sudo, on all nodes") or None
    return made
