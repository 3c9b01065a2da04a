"""What all tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# What a shell ignores for a job in the background, and nohup: a program started from there would never see them.
OF_TERMINALS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}


@pytest.fixture(autouse=True, scope="session")
def signals_are_those_of_a_terminal() -> Iterator[None]:
    """However the tests were started, Ctrl-C and a hangup reach what they start."""
    before = {number: signal.signal(number, handler) for number, handler in OF_TERMINALS.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
