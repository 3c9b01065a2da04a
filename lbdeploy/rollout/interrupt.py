"""Handling of Ctrl-C: the first stops a run at its next safe point, a second one ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from lbdeploy.errors import InterruptedRunError
from lbdeploy.events import Emit, Note


class Interrupt:
    """Within the block, the first SIGINT is remembered, and a second one raises KeyboardInterrupt.

    `doing` is what the operator is told is happening meanwhile.
    """

    def __init__(self, emit: Emit, doing: str = "stopping as soon as the node in change is done") -> None:
        self.asked = False
        self._emit = emit
        self._doing = doing
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self, state: str, fix: str) -> None:
        """A safe point: raise InterruptedRunError after Ctrl-C. `state`: how things are; `fix`: what to type."""
        if self.asked:
            raise InterruptedRunError("interrupted", state=state, fix=fix)

    def _on(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        note = Note(None, f"{self._doing}; Ctrl-C again leaves at once")
        # The message is printed by another thread: this one may hold a lock that drawing needs.
        threading.Thread(target=self._emit, args=(note,), daemon=True).start()
