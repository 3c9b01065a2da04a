"""Observing the nodes: in parallel, with one remote command each, as often as needed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.node.drift import NodePlan, diff
from lbdeploy.node.observation import NodeProbeScript, Observation
from lbdeploy.node.resources.base import Resource
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

Wanted = Mapping[str, list[Resource[Any]]]

POLL_SECONDS = 0.25
SETTLE_MARGIN = 10.0  # seconds that a cluster may take to settle, beyond what the daemons' timers say


class Observer:
    """Surveys of a cluster. `wanted` is what each node should have; only the nodes in `scope` are to be changed.

    For those in `partly`, only the changes listed there (name, action) are to be made.
    """

    def __init__(self, cluster: Cluster, pool: SessionPool, wanted: Wanted, scope: Iterable[str], emit: Emit) -> None:
        self.cluster = cluster
        self.wanted = wanted
        self.scope = frozenset(scope)
        self.partly: Mapping[str, Collection[tuple[str, str]]] = {}
        self._pool = pool
        self._emit = emit

    def survey(self) -> Survey:
        """Observe the nodes, and emit events about it."""
        for node in self._pool.nodes:
            self._emit(Step(node.name, "look"))
        survey = self.look()
        for name in survey.seen:
            self._emit(Done(name, "looked"))
        return survey

    def look(self) -> Survey:
        """Observe every node that can be reached."""
        found = self._pool.each(self._pool.nodes, self._observe)
        seen = {name: each for name, each in found.items() if isinstance(each, Observation)}
        errors = {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
        return Survey(
            self.cluster,
            {name: each for name, each in seen.items() if name in self.scope},
            {name: self._mine(diff(self.wanted[name], each)) for name, each in seen.items()},
            {name: each for name, each in errors.items() if name in self.scope},
            {name: each for name, each in seen.items() if name not in self.scope},
            {name: each for name, each in errors.items() if name not in self.scope},
        )

    def _mine(self, plan: NodePlan) -> NodePlan:
        """The plan with only those changes that are to be made."""
        some = self.partly.get(plan.node.name) if plan.node.name in self.scope else ()
        return plan if some is None else plan.only(lambda _, change: (change.name, change.action) in some)

    def until_settled(
        self, names: Iterable[str], lost: Iterable[str] = (), but: Collection[tuple[str | None, str]] = ()
    ) -> Survey:
        """Observe until waiting would change nothing about these nodes and the VIPs, for at most `settle_seconds`.

        The nodes `lost` are known not to answer; the findings in `but` are not waited for: see Verdict.settled.
        """
        names, known = list(names), set(lost)
        deadline = time.monotonic() + settle_seconds(self.cluster)
        self._emit(Note(None, "waiting until VRRP has elected a holder, and haproxy has checked its servers"))
        while True:
            survey = self.look()
            if (survey.verdict.settled(names, but) and not set(survey.errors) - known) or time.monotonic() >= deadline:
                return survey
            time.sleep(POLL_SECONDS)

    def until_holding(self, names: Iterable[str]) -> bool:
        """Observe until one of these nodes holds every VIP; False where none does in time."""
        names = list(names)
        deadline = time.monotonic() + settle_seconds(self.cluster)
        while time.monotonic() < deadline:
            seen = self.look().seen
            if any(seen[name].holds_all(self.cluster) for name in names if name in seen):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _observe(self, node: Node, session: Session) -> Observation:
        probe = NodeProbeScript(self.cluster, node, self.wanted[node.name])
        return probe.read(session.run(probe.script()).output)


def settle_seconds(cluster: Cluster) -> float:
    """How long a VRRP election and haproxy's first checks may take: RFC 5798 section 6.1, haproxy's `inter`."""
    vrrp = cluster.vrrp
    election = 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise
    checks = max(frontend.fast_interval * frontend.rise + frontend.check_timeout for frontend in cluster.frontends)
    return max(election, checks) + SETTLE_MARGIN
