"""Break it with its repair armed, wait, undo it: whatever happens, and whenever Ctrl-C comes.

See docs/decisions/017-a-drill-arms-its-repair-first.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lbdeploy.common.typed import typed
from lbdeploy.errors import ConnectError, InterruptedRunError, LockedError, RemoteError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.operations.drill.faults import FaultTarget
from lbdeploy.operations.drill.injector import FaultInjector
from lbdeploy.operations.outage.client import Prober
from lbdeploy.rollout.interrupt import Interrupt

BASELINE = 1.0  # seconds of probing before the break, and after all is well again
MARGIN = 6.0  # seconds by which the node's own repair comes later than the operator's
GLANCE_SECONDS = 0.05  # seconds within which Ctrl-C is noticed
LOOK = typed("verify", "--wait", "60")


@dataclass(frozen=True, slots=True)
class Breaking:
    """`target` is to be broken by `injector`, for `hold` seconds."""

    target: FaultTarget
    injector: FaultInjector
    hold: float
    emit: Emit

    def run(self, here: Prober) -> tuple[float, float]:
        """Break it and undo it; returns when it was broken and when it was undone (s, Unix). `here` probes meanwhile.

        Ctrl-C does not interrupt a step: what has begun on the node is finished, then undone. A second Ctrl-C exits at
        once and leaves the undoing to the node: a step still running there could take effect after one from here.
        """
        try:
            with Interrupt(self.emit, "undoing it") as interrupt:
                at = self._broken(here, interrupt)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted", state=f"{self.target.what}; {self._by_itself}", fix=LOOK) from None
        if interrupt.asked:
            state = f"what was broken is undone ({self.target.what})" if at else "nothing was broken"
            raise InterruptedRunError("interrupted", state=state, fix=LOOK)
        return at, time.time()

    def _broken(self, here: Prober, interrupt: Interrupt) -> float:
        """Break and undo it; returns when it was broken (s, Unix), or 0 if it was not."""
        self._probe(here, interrupt)
        if interrupt.asked:
            return 0.0
        self.emit(Step(self.target.name, f"{self.target.kind.what}; undone in {self.hold:.0f} s"))
        try:
            at = self.injector.break_it(self.hold + (0 if self.target.kind.cuts_off else MARGIN))
            _pause(at + self.hold - time.time(), interrupt)
        except LockedError:  # nothing was broken
            raise
        except Exception as error:
            # With any other error, the break may still be running on the node.
            self._undo(disarm=isinstance(error, RemoteError))
            if isinstance(error, ConnectError):
                raise error.but(state=f"if anything was broken ({self.target.what}), {self._by_itself}") from None
            raise
        self._undo()
        return at

    def _probe(self, here: Prober, interrupt: Interrupt) -> None:
        self.emit(Step(self.target.name, "probe the VIPs"))
        _pause(BASELINE, interrupt)
        for vip in here.refused:
            note = f"{vip} refuses this machine: what the other nodes see of it counts (frontends.NAME.allow)"
            self.emit(Note(None, note))

    def _undo(self, *, disarm: bool = True) -> None:
        """Undo it from here; if that fails, leave it to the armed repair."""
        self.emit(Step(self.target.name, "undo it"))
        try:
            self.injector.undo(disarm=disarm)
        except ConnectError as error:
            why = f"not undone from here ({error.message}): it is by itself, in {MARGIN:.0f} s"
            self.emit(Note(self.target.name, why))
            time.sleep(MARGIN)
        else:
            self.emit(Done(self.target.name, "undone"))

    @property
    def _by_itself(self) -> str:
        return f"it is undone automatically within {self.hold + MARGIN:.0f} s"


def _pause(seconds: float, interrupt: Interrupt) -> None:
    """Wait for `seconds`, or until Ctrl-C."""
    until = time.monotonic() + seconds
    while not interrupt.asked and time.monotonic() < until:
        time.sleep(min(GLANCE_SECONDS, max(0.0, until - time.monotonic())))
