"""Draining a server: all nodes' haproxy give it no new connections, until it is to be used again.

It is no run: no file of hosts.toml changes, and nothing has to be confirmed. Each node is looked at once and told once.
See docs/decisions/058-drained-servers.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError, LockedError, RemoteError, together
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.node.resources.drains import Drain, Pair, render
from lbdeploy.operations.servers.connections import POLL_SECONDS, OpenConnections
from lbdeploy.operations.servers.names import Member, State, members
from lbdeploy.operations.servers.node_scripts import NodeServers, ServersProbe, Tell
from lbdeploy.operations.servers.records import after, pairs, pending
from lbdeploy.operations.servers.refusals import UNCHANGED, is_refusal, refuse, undecided
from lbdeploy.operations.servers.result import NodeResult, ServerResult
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

BRIEFLY = 2.0  # seconds that another drain may take, on the same node at the same time


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of the cluster whose nodes `pool` connects to. `who` asks; `about` tells that to other runs."""

    cluster: Cluster
    pool: SessionPool
    emit: Emit
    who: str
    about: str
    lock_wait: float = 0.0

    def drain(
        self,
        server: str,
        frontend: str | None = None,
        *,
        wait: float | None = None,
        shutdown: bool = False,
        force_last: bool = False,
    ) -> ServerResult:
        """Drain a server; then wait for its open connections to end, up to `wait` seconds; `shutdown` closes the rest.

        Raises LbdeployError where it must not begin, or reaches no node; the result has the errors of some nodes.
        """
        wanted = members(self.cluster, server, frontend)
        result = self._bring(wanted, "drain", frontend, force_last=force_last)
        connections = OpenConnections(self.pool, self.emit, wanted)
        if wait is not None:
            result = connections.ended(result, wait)
            self._require_drained(result, wanted)
        return connections.closed(result) if shutdown and result.left else replace(result, closed=shutdown)

    def undrain(self, server: str, frontend: str | None = None) -> ServerResult:
        """Have a server get new connections again. Raises as `drain` does."""
        return self._bring(members(self.cluster, server, frontend), "ready", frontend)

    def _require_drained(self, result: ServerResult, wanted: Sequence[Member]) -> None:
        """Raise where somebody has ended the drain while it was waited: who asked for it would take the server away."""
        views = [view for view in _seen(self._found(wanted)) if view.node.name in result.nodes]
        used = [view.node.name for view in views if not all(view.drain(pair) for pair in pairs(wanted))]
        if used:
            message = f"somebody has ended the drain of {result.server} meanwhile, on {' and '.join(used)}"
            state = "it gets new connections there; none were closed"
            raise RemoteError(message, node=used[0], state=state, fix=result.typed("drain", "--wait", "60"))

    def _bring(
        self, wanted: Sequence[Member], state: State, frontend: str | None, *, force_last: bool = False
    ) -> ServerResult:
        """Bring the servers to a state, on every node that can be reached."""
        found = self._found(wanted)
        if state == "drain" and not force_last and undecided(_seen(found), wanted):
            found = self._checked(wanted)
        views = {view.node.name: view for view in _seen(found)}
        if not views:
            raise together(_errors(found).values()).but(state=UNCHANGED)
        refuse(self.cluster, list(views.values()), wanted, state, force_last=force_last)
        task = DrainTask(self, wanted, state, Drain("", "", int(time.time()), self.who), force_last)
        told = self._told(task, views)
        return ServerResult(
            server=wanted[0][1].name,
            state=state,
            frontends=tuple(each.name for each, _ in wanted),
            frontend=frontend,
            nodes={name: each for name, each in told.items() if not isinstance(each, LbdeployError)},
            errors=_errors(found) | _errors(told),
        )

    def _told(self, task: DrainTask, views: Mapping[str, NodeServers]) -> dict[str, NodeResult | LbdeployError]:
        """What became of it on each node. Raises the error of a refusal by the first one.

        That node goes ahead, as for the lock of a run: of drains that begin at once, all find out there what the others
        have left them, and one that is refused has changed nothing yet.
        """
        first, *rest = sorted((view.node for view in views.values()), key=lambda node: node.name)
        told: dict[str, NodeResult | LbdeployError] = {}
        for group in ([first], rest):
            told |= self.pool.each(group, lambda node, session: task.carry_out(session, views[node.name]))
            error = told[first.name]
            if isinstance(error, LbdeployError) and is_refusal(error):
                raise error
        return told

    @property
    def ports(self) -> dict[Pair, int]:
        """The ports of all servers."""
        return {(frontend.name, server.name): server.port for frontend, server in self.cluster.servers()}

    def _checked(self, wanted: Sequence[Member]) -> dict[str, NodeServers | LbdeployError]:
        """What is found once haproxy has checked the other servers, or should have."""
        self.emit(Note(None, "waiting until haproxy has checked the other servers"))
        deadline = time.monotonic() + _checked_within(wanted)
        while undecided(_seen(found := self._found(wanted)), wanted) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return found

    def _found(self, wanted: Sequence[Member]) -> dict[str, NodeServers | LbdeployError]:
        return self.pool.each(self.pool.nodes, lambda node, session: self._view(node, session, wanted))

    def _view(self, node: Node, session: Session, wanted: Sequence[Member]) -> NodeServers:
        look = ServersProbe(node, self.ports, wanted)
        return look.view(session.run(look.script()).output)


@dataclass(frozen=True, slots=True)
class DrainTask:
    """What each node is to be told. `now` is the record of this drain."""

    servers: Servers
    wanted: Sequence[Member]
    state: State
    now: Drain
    force_last: bool

    def carry_out(self, session: Session, view: NodeServers) -> NodeResult:
        """Bring a node to the state. Where its record changes meanwhile, or another run is at work: look and try again.

        Raises LockedError and RemoteError; and what would have been refused, had it been so from the beginning.
        """
        name = self.wanted[0][1].name
        deadline = time.monotonic() + max(self.servers.lock_wait, BRIEFLY)
        self.servers.emit(Step(view.node.name, f"{'drain' if self.state == 'drain' else 'use'} {name}"))
        while True:
            changed = pending(view, self.wanted, self.state)
            there = self._tell(session, view, deadline) if changed else view.open
            if there is not None:
                self.servers.emit(Done(view.node.name, f"{name} is {'drained' if self.state == 'drain' else 'in use'}"))
                return self._result(view, there, changed=changed)
            view = self._again(session, view.node)

    def _again(self, session: Session, node: Node) -> NodeServers:
        """The node as it is now: others may have left it fewer servers than it had."""
        drains = self.state == "drain" and not self.force_last
        deadline = time.monotonic() + _checked_within(self.wanted)
        view = self.servers._view(node, session, self.wanted)
        while drains and undecided([view], self.wanted) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            view = self.servers._view(node, session, self.wanted)
        refuse(self.servers.cluster, [view], self.wanted, self.state, force_last=self.force_last)
        return view

    def _tell(self, session: Session, view: NodeServers, deadline: float) -> dict[Pair, int] | None:
        """The open connections, once the node was told; None where it has to be looked at again."""
        record = render(after(view, self.wanted, self.state, self.now), self.servers.ports)
        tell = Tell(view, record, self.wanted, self.state, self.servers.about)
        try:
            return tell.read(session.run(tell.script()).output)
        except LockedError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_SECONDS)
            return None

    def _result(self, view: NodeServers, there: Mapping[Pair, int], *, changed: bool) -> NodeResult:
        records = after(view, self.wanted, self.state, self.now)
        own = tuple(each for each in records if each.pair in pairs(self.wanted))
        return NodeResult(node=view.node, changed=changed, answers=view.answers, records=own, open=there)


def _seen(found: Mapping[str, NodeServers | LbdeployError]) -> list[NodeServers]:
    return [each for each in found.values() if not isinstance(each, LbdeployError)]


def _checked_within(wanted: Sequence[Member]) -> float:
    """Seconds after a reload until each server of the frontends has been checked, and those that rise have risen."""
    return max(each.interval + each.check_timeout + each.fast_interval * each.rise for each, _ in wanted)


def _errors(found: Mapping[str, object]) -> dict[str, LbdeployError]:
    return {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
