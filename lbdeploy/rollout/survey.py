"""The nodes as they were observed at one moment, and what follows from that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from lbdeploy.config.model import Cluster
from lbdeploy.errors import HostKeyError, LbdeployError, LoginError, RemoteError, SudoError, together
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import holders, is_live
from lbdeploy.health.state import ClusterState
from lbdeploy.health.verdict import Verdict, judge
from lbdeploy.health.vips import preempting
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.planning import endings, writable
from lbdeploy.planning.drained_servers import left_drained
from lbdeploy.planning.endings import wanted_files
from lbdeploy.planning.occupants import occupants
from lbdeploy.planning.ownership import ownership
from lbdeploy.planning.plan import Plan
from lbdeploy.planning.preflight import foreigners, left_out, preflight, refused_versions, unlike_peers
from lbdeploy.planning.stages import staged
from lbdeploy.rollout.progress import locked
from lbdeploy.ssh.greeting import Greeting

REFUSED = (HostKeyError, LoginError, SudoError)  # the node is up, but refuses the login


@dataclass(frozen=True)
class Survey:
    """The state of each node, and what would have to be done. `errors` has those that could not be observed.

    `beside` are the nodes that a run is not to change, as far as they were observed; `unseen` has the errors of those
    that were not. `greetings` is what servers said through each node, where they were asked.
    """

    cluster: Cluster
    observations: Mapping[str, Observation]
    plans: Mapping[str, NodePlan]
    errors: Mapping[str, LbdeployError]
    beside: Mapping[str, Observation] = field(default_factory=dict)
    unseen: Mapping[str, LbdeployError] = field(default_factory=dict)
    greetings: Mapping[str, Sequence[Greeting]] = field(default_factory=dict)

    @cached_property
    def seen(self) -> dict[str, Observation]:
        """All nodes that were observed, by name, including those that are not to be changed."""
        return {**self.beside, **self.observations}

    @property
    def unanswered(self) -> dict[str, LbdeployError]:
        """Why nodes could not be observed, by name, including those that are not to be changed."""
        return {**self.unseen, **self.errors}

    @cached_property
    def plan(self) -> Plan:
        """What would have to be done, and in which order."""
        plan = staged(self.cluster, self.plans, list(self.seen.values()))
        return replace(plan, scope=tuple(self.observations))

    @cached_property
    def verdict(self) -> Verdict:
        plans = {name: plan for name, plan in self.plans.items() if name in self.observations}
        return judge(self.cluster, list(self.observations.values()), plans, self.errors, self.greetings)

    @property
    def preempting(self) -> dict[str, float]:
        """The nodes that are about to take VIPs from a holder of lower priority, and in how many seconds at most."""
        return preempting(ClusterState(self.cluster, list(self.seen.values()), {}))

    @property
    def is_live(self) -> bool:
        return is_live(self.cluster, list(self.seen.values()))

    @property
    def runs(self) -> dict[str, str]:
        """The last run of each observed node, by name; "under way" where it has not ended."""
        return {name: state.run if state.ended else "under way" for name, state in self._journals.items()}

    @property
    def begun(self) -> dict[str, str]:
        """The last run of each observed node, by name, ended or not: as a Lock has them."""
        return {name: state.run for name, state in self._journals.items()}

    @property
    def _journals(self) -> dict[str, JournalState]:
        return {name: each.states["service lbdeploy"] for name, each in self.seen.items()}

    @property
    def undecided(self) -> dict[str, str]:
        """Who is at work on nodes whose change may still be undone, by node."""
        return {name: run.about for name, run in self._journals.items() if run.undecided}

    @contextmanager
    def judged(self) -> Iterator[None]:
        """For what is refused because of how the nodes look: LockedError instead, where another run is changing them.

        A look in the middle of a change has half of it, such as a new VIP beside the file that lacks it.
        """
        try:
            yield
        except RemoteError:
            for name, about in self.undecided.items():
                raise locked(name, about) from None
            raise

    @property
    def unended(self) -> bool:
        """Whether a change is under way on any node, be it only that it watches its peers."""
        return any(run.active and not run.ended for run in self._journals.values())

    def without(self, later: Collection[tuple[str, str, str]]) -> Survey:
        """The same survey, as if these changes (node, name, action) were not needed."""

        def rest(name: str, plan: NodePlan) -> NodePlan:
            return plan.only(lambda _, change: (name, change.name, change.action) not in later)

        return replace(self, plans={name: rest(name, plan) for name, plan in self.plans.items()})

    def refuse(self, ignore: Collection[str] = ()) -> None:
        """Raise where a node lacks what must be there before anything is put on it, or can't be observed.

        A node that can't be reached is left out, where that is safe: see `_may_leave_out`. `ignore` names checks whose
        findings are ignored.
        """
        left_out = self._may_leave_out()
        blocking = [each for each in self.errors.values() if isinstance(each, REFUSED) or not left_out]
        if blocking:
            raise together(blocking)
        problems = [each for each in self._findings() if each.is_error and each.check not in ignore]
        if problems:
            raise unfit(problems)

    def _may_leave_out(self) -> bool:
        """Whether the nodes that can't be reached hold no VIP, since others hold them."""
        held = holders(self.cluster, list(self.seen.values()))
        return bool(held) and all(any(each.holds(vip.ip) for each in self.seen.values()) for vip in self.cluster.vips)

    @property
    def notes(self) -> Iterator[Finding]:
        """The findings that don't stop a run, but that an operator should know before it."""
        for each in self.observations.values():
            yield from (found for found in ownership(self.cluster, each) if found.is_warning)

    def _findings(self) -> Iterator[Finding]:
        for each in self.observations.values():
            plan = self.plans[each.node.name]
            yield from ownership(self.cluster, each)
            yield from occupants(self.cluster, each)
            yield from preflight(self.cluster, each)
            yield from left_drained(self.cluster, each)
            yield from endings.findings(each, wanted_files(plan))
            yield from refused_versions(plan)
            yield from writable.findings(each, writable.written(plan))
        yield from foreigners(self.cluster, list(self.seen.values()))
        plans = {name: plan for name, plan in self.plans.items() if name in self.observations}
        yield from left_out(self.cluster, plans)
        yield from unlike_peers(self.cluster, self.plans, list(self.seen.values()), self.observations)


def unfit(problems: list[Finding]) -> RemoteError:
    """One error that lists all of the problems."""
    first, rest = problems[0], problems[1:]
    more = "".join(f"\n{each.node or 'all'}: {each.detail}; {each.fix}" for each in rest)
    return RemoteError(first.detail + more, node=first.node, state="nothing was changed", fix=first.fix)
