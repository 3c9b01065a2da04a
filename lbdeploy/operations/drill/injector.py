"""Fault injectors: they break something and undo it. OnNode works over SSH; the lab has its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from lbdeploy.config.model import Cluster, Node, Ssh
from lbdeploy.errors import ConnectError, LbdeployError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.node.answers import seconds, understood
from lbdeploy.node.observation import PRELUDE
from lbdeploy.operations.drill import faults
from lbdeploy.operations.drill.faults import BREAK_DELAY, FaultTarget, Kind
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.rollout.lock import outran, refuse_outrun, unless_outrun
from lbdeploy.ssh.limits import WORK
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import CommandResult


class FaultInjector(Protocol):
    """How one thing is broken on one node, and undone. Every method raises LbdeployError."""

    def break_it(self, seconds: float) -> float:
        """Have it undone in `seconds`, even if this process or its network should be gone by then; then break it.

        Returns when that was (s, Unix, the operator's clock). Raises LockedError where nothing was broken, since the
        node is in another run's hands.
        """

    def undo(self, *, disarm: bool = True) -> None:
        """Undo it now, and disarm the armed repair. May be called when nothing was broken in the end.

        Without `disarm` the repair stays armed: for a break that may take effect only after this call.
        """


class OnNode:
    """Works over SSH. What cuts the node off is undone by the node itself, when the armed repair is due.

    `about`: what the drill's lock says.
    """

    def __init__(
        self,
        kind: Kind,
        node: Node,
        about: str,
        *,
        cluster: Cluster,
        ssh: Ssh,
        pool: SessionPool,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._kind = kind
        self._node = node
        self._about = about
        self._cluster = cluster
        self._ssh = ssh
        self._pool = pool
        self._clock = clock
        self._emit = emit
        self._due = 0.0  # when the armed repair has run, by this machine's monotonic clock

    def break_it(self, seconds: float) -> float:
        script = f"{unless_outrun(self._about)}{faults.break_it(self._kind, seconds)}"
        try:
            result = on(self._pool, self._node, script)
        finally:
            self._due = time.monotonic() + BREAK_DELAY + seconds
        refuse_outrun(self._node.name, result.output)
        _require(result, self._node, f"{self._kind.name} could not be broken", "what was begun is undone")
        return self._clock.here(understood(self._node.name, "date", _first, result.output))

    def undo(self, *, disarm: bool = True) -> None:
        if self._kind.cuts_off:
            time.sleep(max(0.0, self._due - time.monotonic()))
            return
        script = f"{unless_outrun(self._about)}{faults.undo(self._kind, disarm=disarm)}"
        try:
            result = on(self._pool, self._node, script)
        except ConnectError:  # the connection that it was broken over may be gone
            with SessionPool(self._cluster, self._emit, ssh=self._ssh, limit=(self._node.name,)) as pool:
                result = on(pool, self._node, script)
        if outran(result.output):  # this laptop slept: the node's own repair was due long before that
            self._emit(Note(self._node.name, "another run has had the lock since: it was undone by the node itself"))
            return
        fix = f"see what it says: systemctl status haproxy keepalived, on {self._node.name}"
        state = f"{self._kind.what}, maybe still; the node tries to repair it once more within seconds"
        _require(result, self._node, "the repair failed", state, fix)


class OperatorInjector:
    """The operator's own hand, where lbdeploy has none: it says what to do, and when to undo it."""

    def __init__(self, target: FaultTarget, hold: float, emit: Emit) -> None:
        self._kind = target.kind
        self._server = target.name
        self._hold = hold
        self._emit = emit
        self._begun = False

    def break_it(self, seconds: float) -> float:
        """Nothing would undo it by itself."""
        do = "cut its power" if self._kind.name == "server" else "let its /readyz fail, or shut its API server down"
        self._emit(Note(None, f"now, on {self._server}: {do}. What clients see is measured for {self._hold:.0f} s"))
        self._begun = True
        return time.time()

    def undo(self, *, disarm: bool = True) -> None:
        if self._begun:
            self._emit(Note(None, f"now start {self._server} again; that is waited for"))


def _first(output: str) -> float:
    """The time that a script prints first: when the fault began."""
    return seconds(output.split(maxsplit=1)[0])


def on(pool: SessionPool, node: Node, script: str) -> CommandResult:
    """Run a script on one node. Raises the error that ended it."""
    work: Callable[..., CommandResult] = lambda _, session: session.run(PRELUDE + script, limits=WORK)  # noqa: E731
    result = pool.each([node], work)[node.name]
    if isinstance(result, LbdeployError):
        raise result
    return result


def _require(result: CommandResult, node: Node, what: str, state: str, fix: str | None = None) -> None:
    if result.status:
        last = result.output.strip().splitlines()[-1:] or [f"exit status {result.status}"]
        raise RemoteError(f"{what}: {last[0]}", node=node.name, state=state, fix=fix, detail=result.output)
