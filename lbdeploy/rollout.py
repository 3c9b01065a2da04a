"""A run, from hosts.toml to a verified cluster. `up` reads like its table of contents."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lbdeploy import transaction
from lbdeploy.agreement import disagrees, left_out
from lbdeploy.desired import desired
from lbdeploy.errors import InterruptedRunError, LbdeployError, RemoteError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.finding import Finding
from lbdeploy.fleet import Fleet
from lbdeploy.model import Cluster, Node
from lbdeploy.placement import DAEMONS
from lbdeploy.plan import NodePlan, Plan, batches, diff
from lbdeploy.probe import Observation, Probe
from lbdeploy.resource import Resource
from lbdeploy.verdict import Verdict, foreigners, holders, judge, living, preflight

if TYPE_CHECKING:
    from lbdeploy.transport import Session

SETTLE_MARGIN = 10.0  # seconds that daemons may take beyond what their timers say, until a cluster has settled
POLL_SECONDS = 0.25
SERVERS_ONLY = ("backend", "api")  # what also fails where the servers, not the load balancers, are the cause


@dataclass(frozen=True, slots=True)
class Survey:
    """The nodes as they were seen at one moment. `errors` has those that could not be observed."""

    cluster: Cluster
    observations: Mapping[str, Observation]
    plans: Mapping[str, NodePlan]
    errors: Mapping[str, LbdeployError]

    @property
    def seen(self) -> tuple[Observation, ...]:
        return tuple(self.observations.values())

    @property
    def plan(self) -> Plan:
        """What would have to be done, and in which order."""
        together = [name for name, plan in self.plans.items() if disagrees(plan)]
        order = batches(self.plans, holders(self.cluster, self.seen), living(self.cluster, self.seen), together)
        return Plan(self.plans, order)

    @property
    def verdict(self) -> Verdict:
        return judge(self.cluster, self.seen, self.plans, self.errors)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found, did and left. `done` are the nodes that were changed."""

    plan: Plan
    verdict: Verdict
    done: tuple[str, ...] = ()
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)


class Run:
    """One command's dealings with the nodes of `fleet`, which may still be connecting to them. Raises RenderError."""

    def __init__(self, cluster: Cluster, fleet: Fleet, emit: Emit) -> None:
        self.cluster = cluster
        self.nodes = fleet.nodes
        self._fleet = fleet
        self._emit = emit
        self._desired: dict[str, list[Resource[Any]]] = {node.name: desired(cluster, node) for node in self.nodes}

    def up(self, approve: Callable[[Plan], bool] | None = None, ignore: Collection[str] = ()) -> Outcome:
        """Bring every node to what hosts.toml says. Raises the first node's error where one fails.

        `approve` is shown a plan that has changes, and may refuse it: then InterruptedRunError is raised. `ignore`
        names checks that do not stop the run: see `refuse`.
        """
        before = self.survey()
        refuse(before, ignore)
        plan = before.plan
        if plan.changes and approve and not approve(plan):
            raise InterruptedRunError("not approved", state="nothing was changed")
        fresh = not living(self.cluster, before.seen)
        for batch in plan.order:
            if fresh:
                self._begin(plan, batch)
            else:
                if len(batch) > 1:  # all or none: what one would refuse, none gets
                    self._change(plan, batch, DAEMONS, rehearsal=True)
                self._change(plan, batch, DAEMONS)
                self._gate(batch, before)
        return self._settle(plan, before)

    def plan(self, ignore: Collection[str] = ()) -> Outcome:
        """What `up` would do. Raises where it would refuse to begin."""
        survey = self.survey()
        refuse(survey, ignore)
        return Outcome(survey.plan, survey.verdict)

    def verify(self, wait: float = 0.0) -> Outcome:
        """The cluster as it runs; looked at again for up to `wait` seconds, until all is well."""
        deadline = time.monotonic() + wait
        while True:
            survey = self.survey()
            if (survey.verdict.healthy and not survey.errors) or time.monotonic() >= deadline:
                return Outcome(survey.plan, survey.verdict, errors=survey.errors)
            time.sleep(POLL_SECONDS)

    def survey(self) -> Survey:
        """Look at the nodes, all at once, with one remote command each."""
        for node in self.nodes:
            self._emit(Step(node.name, "look"))
        survey = self._look()
        for name in survey.observations:
            self._emit(Done(name, "looked"))
        return survey

    def _look(self) -> Survey:
        found = self._fleet.each(self.nodes, self._observe)
        observations = {name: each for name, each in found.items() if isinstance(each, Observation)}
        errors = {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
        plans = {name: diff(self._desired[name], each) for name, each in observations.items()}
        return Survey(self.cluster, observations, plans, errors)

    def _observe(self, node: Node, session: Session) -> Observation:
        probe = Probe(self.cluster, node, self._desired[node.name])
        return probe.read(session.run(probe.script()).output)

    def _begin(self, plan: Plan, batch: Sequence[str]) -> None:
        """Make a cluster where there was none: all nodes side by side, but for the start of keepalived.

        The preferred node starts it first, and so becomes the holder: one that finds another holding the VIPs waits
        for preempt_delay, also when it has only just started (keepalived.conf(5)).
        """
        rest = [node.name for node in self.nodes if node.name in batch][1:]
        held_back = dict.fromkeys(rest, ("haproxy",))
        self._change(plan, batch, DAEMONS, held_back)
        starts = {name: _only(plan.nodes[name], "keepalived") for name in rest}
        self._change(Plan(starts, ()), rest, DAEMONS)

    def _change(
        self,
        plan: Plan,
        names: Sequence[str],
        services: Sequence[str],
        but: Mapping[str, Sequence[str]] | None = None,
        *,
        rehearsal: bool = False,
    ) -> None:
        """Change nodes side by side, and start or reload these services there, `but` on some only those."""

        def change(node: Node, session: Session) -> None:
            progress = transaction.Progress(node.name, lambda text: self._emit(Step(node.name, text)))
            there = (but or {}).get(node.name, services)
            session.run(transaction.script(plan.nodes[node.name], there, _who(), rehearsal=rehearsal), progress.line)
            if error := progress.error(plan.nodes[node.name]):
                raise error
            self._emit(Done(node.name, "rehearsed" if rehearsal else "changed"))

        results = self._fleet.each([node for node in self.nodes if node.name in names], change)
        errors = [error for error in results.values() if isinstance(error, LbdeployError)]
        if errors:
            raise errors[0]

    def _gate(self, batch: Sequence[str], before: Survey) -> None:
        """Go on only once the changed nodes are as they should be, and every VIP is on exactly one node.

        Servers that could not be reached before the run are none of its doing.
        """
        self._emit(Note(None, f"{' and '.join(batch)} changed: going on only once all is well"))
        survey = self._until_settled(batch)
        if survey.errors:
            raise next(iter(survey.errors.values()))
        excused = {
            (each.node, each.check) for each in before.verdict.findings if each.failed and each.check in SERVERS_ONLY
        }
        bad = [each for each in survey.verdict.findings if each.failed and each.node in (None, *batch)]
        bad = [each for each in bad if (each.node, each.check) not in excused]
        if bad:
            raise _unwell(batch, bad)

    def _settle(self, plan: Plan, before: Survey) -> Outcome:
        names = [node.name for node in self.nodes]
        survey = before if not plan.changes and before.verdict.settled(names) else self._until_settled(names)
        done = tuple(name for batch in plan.order for name in batch)
        return Outcome(plan, survey.verdict, done, survey.errors)

    def _until_settled(self, names: Sequence[str]) -> Survey:
        deadline = time.monotonic() + settle_seconds(self.cluster)
        self._emit(Note(None, "waiting until VRRP has elected a holder, and haproxy has checked its servers"))
        while True:
            survey = self._look()
            if (survey.verdict.settled(names) and not survey.errors) or time.monotonic() >= deadline:
                return survey
            time.sleep(POLL_SECONDS)


def settle_seconds(cluster: Cluster) -> float:
    """How long VRRP's election and haproxy's first checks may take: RFC 5798 section 6.1, haproxy's `inter`."""
    vrrp = cluster.vrrp
    election = 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise
    checks = max(frontend.fast_interval * frontend.rise + frontend.check_timeout for frontend in cluster.frontends)
    return max(election, checks) + SETTLE_MARGIN


def refuse(survey: Survey, ignore: Collection[str] = ()) -> None:
    """Raise where a node can't be looked at, or lacks what must be there before anything is put on it.

    `ignore` names checks whose findings are passed over.
    """
    if survey.errors:
        raise next(iter(survey.errors.values()))
    problems = [finding for each in survey.seen for finding in preflight(survey.cluster, each)]
    problems += (*foreigners(survey.cluster, survey.seen), *left_out(survey.cluster, survey.plans))
    problems = [finding for finding in problems if finding.check not in ignore]
    if problems:
        raise _unfit(problems)


def _unfit(problems: Sequence[Finding]) -> RemoteError:
    first, rest = problems[0], problems[1:]
    more = "".join(f"\n{each.node}: {each.detail}; {each.fix}" for each in rest)
    return RemoteError(first.detail + more, node=first.node, state="nothing was changed", fix=first.fix)


def _unwell(batch: Sequence[str], bad: Sequence[Finding]) -> RemoteError:
    first = bad[0]
    what = "; ".join(dict.fromkeys(each.detail for each in bad))
    state = f"{' and '.join(batch)} changed, the nodes after it were left as they were"
    return RemoteError(what, node=first.node, state=state, fix=first.fix or "lbdeploy verify")


def _only(plan: NodePlan, unit: str) -> NodePlan:
    return NodePlan(plan.node, tuple(part for part in plan.parts if part.resource.id == f"service {unit}"))


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})"
