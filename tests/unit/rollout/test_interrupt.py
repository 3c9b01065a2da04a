"""Ctrl-C: once, a run stops at its next safe point; twice, it leaves at once. With real signals."""

from __future__ import annotations

import os
import queue
import signal
import threading
from contextlib import suppress

import pytest

from lbdeploy.errors import InterruptedRunError
from lbdeploy.events import Event, silent
from lbdeploy.rollout.interrupt import Interrupt


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_one_is_remembered_and_told() -> None:
    """The run goes on to its next safe point, and the operator knows."""
    told: queue.Queue[Event] = queue.Queue()
    with Interrupt(told.put) as interrupt:
        interrupt.check("nothing was changed", "lbdeploy up goes on")
        press()
        assert interrupt.asked
        assert "stopping as soon as" in getattr(told.get(timeout=5), "text", "")
        with pytest.raises(InterruptedRunError) as caught:
            interrupt.check("lb2 changed; lb1 left as it was", "lbdeploy up goes on")
    error = caught.value
    assert (error.state, error.fix) == ("lb2 changed; lb1 left as it was", "lbdeploy up goes on")
    assert error.exit_code == 130


def test_the_second_one_leaves_at_once() -> None:
    """As Ctrl-C does where nobody catches it."""
    with Interrupt(silent):
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_outside_of_the_block_it_is_as_before() -> None:
    """Whatever was done about it before is done about it afterwards, also where the block fails."""
    before = signal.getsignal(signal.SIGINT)
    interrupt = Interrupt(silent)
    with suppress(ZeroDivisionError), interrupt:
        assert signal.getsignal(signal.SIGINT) != before
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) == before


def test_in_another_thread_nothing_is_caught() -> None:
    """Only the main thread may say what becomes of signals: elsewhere the block does nothing."""
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with Interrupt(silent) as interrupt:
            interrupt.check("nothing was changed", "lbdeploy up goes on")
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
    assert signal.getsignal(signal.SIGINT) == before
