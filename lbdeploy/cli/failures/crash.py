"""Unexpected ends: a bug in lbdeploy, in any thread, and signals that end the process. Tracebacks go to the log."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any

from lbdeploy.cli.run_log import Logbook
from lbdeploy.common.typed import typed
from lbdeploy.errors import LbdeployError


def crashed(error: Exception, log: Logbook) -> LbdeployError:
    """The error to show for an unexpected exception, with the path of the log that has its traceback."""
    log.write("".join(traceback.format_exception(error)))
    path, _ = log.close()
    return mistake(error, f"{path or 'this line'}")


def mistake(error: Exception, evidence: str) -> LbdeployError:
    """The error to show for an unexpected exception; `evidence` is what to report it with."""
    return LbdeployError(
        f"a mistake in lbdeploy: {type(error).__name__}: {error}",
        state="unknown; a node that was being changed ends its change, or restores what was there, by itself",
        fix=typed("plan", after=f" shows what is left to do; please report it with {evidence}"),
    )


def watch_over(log: Logbook) -> None:
    """From now on tracebacks go to the log, and SIGTERM and SIGHUP end a run as a second Ctrl-C does."""

    def aside(failure: Any) -> None:  # the hooks for threads and for destructors get objects with the same attributes
        log.write("".join(traceback.format_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)))

    _ = traceback.TracebackException  # imported now: it could not be where file descriptors have run out
    threading.excepthook = sys.unraisablehook = aside
    _write_what_workers_meet(log)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # nohup makes the process ignore SIGHUP: that stays so
                signal.signal(number, _end)


def _write_what_workers_meet(log: Logbook) -> None:
    """Ctrl-C may come as the main thread takes or gives back a lock that a worker needs then, to hand in its result.

    concurrent.futures tells that its logger, and without a handler, logging would print it on the screen.
    """
    import logging

    handler = logging.Handler()
    handler.emit = lambda record: log.write(handler.format(record))  # type: ignore[method-assign]
    logging.getLogger("concurrent.futures").handlers = [handler]


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
