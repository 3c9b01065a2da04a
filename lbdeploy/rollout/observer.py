"""Observing the nodes: in parallel, with one remote command each, as often as needed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.health.finding import Excuse
from lbdeploy.health.fitness import able, booting
from lbdeploy.node import surroundings
from lbdeploy.node.drift import NodePlan, diff
from lbdeploy.node.observation import NodeProbeScript, Observation
from lbdeploy.node.resources.base import Resource
from lbdeploy.planning.drained_servers import inheriting
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.greeting import Greeting, Question, asking
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

POLL_SECONDS = 0.25
ASK_SECONDS = 0.5  # how much longer than the nodes servers may take to answer
BOOT_SECONDS = 60.0  # from when a node that boots lets users log in, until it has started its daemons
SETTLE_MARGIN = 10.0  # seconds that a cluster may take to settle, beyond what the daemons' timers say


@dataclass(frozen=True, slots=True)
class Wanted:
    """What each node should have. Only the nodes in `scope` are to be changed.

    For those in `partly`, only the changes listed there (name, action) are to be made.
    """

    resources: Mapping[str, Sequence[Resource[Any]]]
    scope: frozenset[str]
    partly: Mapping[str, Collection[tuple[str, str]]] = field(default_factory=dict)

    def plan(self, seen: Observation) -> NodePlan:
        """What is to be changed on a node."""
        name = seen.node.name
        plan = diff(self.resources[name], seen)
        some = self.partly.get(name) if name in self.scope else ()
        return plan if some is None else plan.only(lambda _, change: (change.name, change.action) in some)

    def inheriting(self, survey: Survey) -> tuple[Wanted, Survey]:
        """The same, where nodes without a record are to take over which servers are drained; and the survey with it."""
        wanted = replace(self, resources=inheriting(survey.cluster, survey.seen, self.resources))
        return wanted, replace(survey, plans={name: wanted.plan(each) for name, each in survey.seen.items()})


class Observer:
    """Surveys of a cluster, whose nodes are those that `pool` has sessions with."""

    def __init__(self, cluster: Cluster, pool: SessionPool, emit: Emit) -> None:
        connected = {node.name for node in pool.nodes}
        self.cluster = cluster
        self.nodes = tuple(node for node in cluster.nodes if node.name in connected)
        self._pool = pool
        self._emit = emit

    def survey(self, wanted: Wanted, ask: Sequence[Question] = ()) -> Survey:
        """Observe the nodes and who else lives there, and emit events about it. `ask`: servers, through each node."""
        for node in self.nodes:
            self._emit(Step(node.name, "look"))
        survey = self.look(wanted, surroundings.probe(self.cluster), ask)
        for name in survey.seen:
            self._emit(Done(name, "looked"))
        return survey

    def survey_once_booted(self, wanted: Wanted) -> Survey:
        """A survey, made again until no node is in the middle of its boot: what it is about to start is no drift."""
        survey = self.survey(wanted)
        if names := _booting(survey):
            self._emit(Note(None, f"waiting until {' and '.join(names)} has started its daemons"))
        deadline = time.monotonic() + BOOT_SECONDS
        while _booting(survey) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            survey = self.look(wanted, surroundings.probe(self.cluster))
        return survey

    def look(self, wanted: Wanted, more: Mapping[str, Raw] | None = None, ask: Sequence[Question] = ()) -> Survey:
        """Observe every node that can be reached. `more`: probes besides, by name; `ask`: servers, meanwhile."""
        heard: dict[str, Sequence[Greeting]] = {}

        def observe(node: Node, session: Session) -> Observation:
            script = NodeProbeScript(self.cluster, node, wanted.resources[node.name], more)
            with asking(session, ask, ASK_SECONDS) as answers:
                seen = script.read(session.run(script.script()).output)
            heard[node.name] = answers
            return seen

        found = self._pool.each(self.nodes, observe)
        seen = {name: each for name, each in found.items() if isinstance(each, Observation)}
        errors = {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
        return Survey(
            self.cluster,
            {name: each for name, each in seen.items() if name in wanted.scope},
            {name: wanted.plan(each) for name, each in seen.items()},
            {name: each for name, each in errors.items() if name in wanted.scope},
            {name: each for name, each in seen.items() if name not in wanted.scope},
            {name: each for name, each in errors.items() if name not in wanted.scope},
            {name: each for name, each in heard.items() if each},
        )

    def until_settled(
        self, wanted: Wanted, names: Iterable[str], lost: Iterable[str] = (), but: Collection[Excuse] = ()
    ) -> Survey:
        """Observe until waiting would change nothing about these nodes and the VIPs, for at most `settle_seconds`.

        The nodes `lost` are known not to answer; the findings in `but` are not waited for: see Verdict.settled.
        """
        names, known = list(names), set(lost)
        deadline = time.monotonic() + settle_seconds(self.cluster)
        self._emit(Note(None, "waiting until VRRP has elected a holder, and haproxy has checked its servers"))
        while True:
            survey = self.look(wanted)
            if (survey.verdict.settled(names, but) and not set(survey.errors) - known) or time.monotonic() >= deadline:
                return survey
            time.sleep(POLL_SECONDS)

    def until_able(self, wanted: Wanted, names: Iterable[str]) -> Survey:
        """Observe until one of these nodes could hold the VIPs, or should have been able to."""
        names = list(names)
        deadline = time.monotonic() + settle_seconds(self.cluster)
        while True:
            survey = self.look(wanted)
            if any(able(survey.seen[name]) for name in names if name in survey.seen) or time.monotonic() >= deadline:
                return survey
            time.sleep(POLL_SECONDS)

    def until_holding(self, wanted: Wanted, names: Iterable[str], parts: Iterable[Cluster] | None = None) -> bool:
        """Observe until these nodes hold every VIP, those of each part on one of them; False where they don't in time.

        `parts`: those parts of the cluster that count; all, if None.
        """
        names, parts = list(names), list(self.cluster.parts if parts is None else parts)
        deadline = time.monotonic() + settle_seconds(self.cluster)
        while time.monotonic() < deadline:
            seen = self.look(wanted).seen
            if all(any(seen[name].holds_all(part) for name in names if name in seen) for part in parts):
                return True
            time.sleep(POLL_SECONDS)
        return False


def _booting(survey: Survey) -> list[str]:
    return [name for name, each in survey.seen.items() if booting(each)]


def settle_seconds(cluster: Cluster) -> float:
    """How long a VRRP election and haproxy's first checks may take: RFC 5798 section 6.1, haproxy's `inter`."""
    vrrp = cluster.vrrp
    election = 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise
    checks = max(frontend.fast_interval * frontend.rise + frontend.check_timeout for frontend in cluster.frontends)
    return max(election, checks) + SETTLE_MARGIN
