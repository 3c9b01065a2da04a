"""Bringing nodes to a wanted state, with the gate and the way back; `plan` and `verify` observe only.

The order of a run is in `RunLoop`; what is in here is what `up`, `rollback` and `rebuild` have in common.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError, RebootedError, RolledBackError
from lbdeploy.events import Emit, Note
from lbdeploy.health.awaited import Goal, missing
from lbdeploy.health.certificates.judgement import questions
from lbdeploy.health.verdict import Verdict
from lbdeploy.node.drift import diff
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Change, Resource
from lbdeploy.node.resources.file import File
from lbdeploy.node.resources.package import Packages, installs
from lbdeploy.node.resources.restored import restored
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.known_files import desired_of
from lbdeploy.planning.plan import Plan, Stage
from lbdeploy.planning.vrrp.members import member_of, strangers
from lbdeploy.rollout.former_peers import findings, former_peers
from lbdeploy.rollout.gate import refused_at_once
from lbdeploy.rollout.loop import End, RunContext, RunLoop, Start, Wording
from lbdeploy.rollout.observer import POLL_SECONDS, Wanted, settle_seconds
from lbdeploy.rollout.outcome import but_for, halfway, taken_back, told
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.survey import Survey, unfit
from lbdeploy.ssh.pool import SessionPool

MOMENTARY = ("reload", "restart", "daemon-reload", "repair")  # what daemons have read since is all that remains of it
WORDING = Wording(
    changed="{} changed",
    declined_fix=typed("up", after=", once it is"),
    halted_fix=typed("up", after=" goes on; lbdeploy rollback goes back"),
    interrupted_fix=typed("plan", after=" shows what is left to do"),
    outdated="the nodes have changed since the plan was shown, and so has the plan",
    outdated_fix=typed("up", "--ask"),
    again=typed("up"),
    look=typed("plan"),
    forced=str(typed("up", "--force-last")),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found, and did. `done` are the nodes that were changed, `errors` has those that were left out.

    `refused`, of a plan: why `up` would not begin.
    """

    plan: Plan
    verdict: Verdict
    done: tuple[str, ...] = ()
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)
    refused: tuple[LbdeployError, ...] = ()


class Run:
    """One command's work on the nodes of `pool`, which may still be connecting to them. Raises RenderError.

    `resources` replaces the desired state of each node that follows from hosts.toml.
    """

    settles = True

    def __init__(  # noqa: PLR0917  who, with what, for whom
        self,
        cluster: Cluster,
        pool: SessionPool,
        emit: Emit,
        origin: Origin,
        options: Options | None = None,
        resources: Mapping[str, list[Resource[Any]]] | None = None,
        wording: Wording = WORDING,
    ) -> None:
        context = self.context = RunContext(cluster, pool, emit, origin, options or Options())
        self.wording = wording
        asked: dict[str, Any] = {"upgrade": context.options.upgrade, "reinstall": context.options.reinstall}
        resources = resources or desired_of(cluster, context.observer.nodes, **asked)
        self.wanted = Wanted(resources, context.scope)
        self._made: dict[str, list[Change]] = {}

    def up(self, approve: Callable[[Plan], bool] | None = None) -> Outcome:
        """Bring every node to the state that hosts.toml describes. Raises the first node's error where one fails.

        `approve` is shown a plan that has changes, and may refuse it: then InterruptedRunError is raised.
        """
        return outcome(RunLoop(self.context, self).run(approve and (lambda start: approve(start.plan))))

    def plan(self) -> Outcome:
        """What `up` would do. Raises where it would refuse to begin."""
        survey = self.start().survey
        refused = tuple(refused_at_once(survey, settle_seconds(self.context.cluster)))
        for error in refused:
            self.context.emit(Note(error.node, f"up would refuse: {error.message}; {error.fix}"))
        return Outcome(survey.plan, survey.verdict, errors=survey.errors, refused=refused)

    def verify(self, wait: float = 0.0, goal: Goal | None = None) -> Outcome:
        """The state of the running cluster; observed again for up to `wait` seconds, until the goal is reached.

        And until no node is in the middle of a change that it may still undo. Servers present their certificates once.
        """
        deadline, greetings = time.monotonic() + wait, None
        while True:
            ask = questions(self.context.cluster) if greetings is None else ()
            survey = self.context.observer.survey(self.wanted, ask)
            greetings = survey.greetings if greetings is None else greetings
            survey = replace(survey, greetings=greetings)
            waits = survey.undecided or missing(survey.verdict.findings, goal)
            if not waits or time.monotonic() >= deadline:
                verdict = survey.verdict.with_more(findings(former_peers(survey, self.context.pool)))
                return Outcome(survey.plan, verdict, errors=survey.errors)
            time.sleep(POLL_SECONDS)

    def start(self) -> Start:
        """Observe the nodes, and plan. Raises LbdeployError where the run must not begin."""
        wanted, survey = self.wanted.inheriting(self.context.observer.survey_once_booted(self.wanted))
        self.refuse(survey)
        return Start(survey, lasting(wanted), survey.plan)

    def refuse(self, survey: Survey) -> None:
        """Raise where the run must not begin: what a node lacks, and former peers that would take the VIPs.

        Raises LockedError where that may only look so, since another run is in the middle of a change.
        """
        with survey.judged():
            self._refuse(survey)

    def _refuse(self, survey: Survey) -> None:
        ignore = self.context.options.ignore
        survey.refuse(ignore)
        for name, about in survey.undecided.items():
            self.context.emit(Note(name, f"a change is under way, and may still be undone: {about}"))
        found = list(findings(former_peers(survey, self.context.pool)))
        for each in (*survey.notes, *found):
            if each.is_warning:
                self.context.emit(Note(each.node, f"{each.detail}: {each.fix}"))
        problems = [each for each in found if each.is_error and each.check not in ignore]
        if problems:
            raise unfit(problems)

    def perform(self, start: Start, stage: Stage, before: Survey) -> None:
        """Change the nodes of a stage, check that they are healthy, and confirm; otherwise undo it, and raise."""
        force = start.force_last or self.context.options.force_last
        self._perform(start.plan, stage, before, start.wanted, force_last=force)
        for name, plan in stage.plans.items():
            self._made[name] = [*self._made.get(name, ()), *plan.changes]

    def look(self, start: Start) -> Survey:
        """The nodes before the next stage."""
        return self.context.observer.look(start.wanted)

    def recover(self, error: LbdeployError, start: Start, done: Sequence[str]) -> Start:
        """After a reboot, continue with what is left to do; where a stage was undone, undo the earlier ones, too."""
        if isinstance(error, RebootedError) and start.reboots:
            return self._after_reboot(error, start, done)
        if isinstance(error, RolledBackError):
            raise self._taken_back(error, start, done) from None
        raise halfway(error, self.wording.done(done), error.fix) if done else error

    def end(self, start: Start, done: tuple[str, ...]) -> Survey:
        """The nodes, once VRRP and haproxy have settled; as they were observed, where nothing had to be done."""
        before, scope = start.survey, start.wanted.scope
        if not done and before.verdict.settled(scope):
            return before
        return self.context.observer.until_settled(start.wanted, scope, before.errors)

    def _after_reboot(self, error: RebootedError, start: Start, done: Sequence[str]) -> Start:
        self.context.emit(Note(None, f"{error.node} rebooted and is back: continuing with what is left to do"))
        found = start.wanted.resources
        left = {name: each if name in done else self._asked(name, each) for name, each in found.items()}
        survey = self.context.observer.until_settled(replace(start.wanted, resources=left), start.wanted.scope)
        try:
            survey.refuse(self.context.options.ignore)
        except LbdeployError as unfit:  # which says that nothing was changed
            raise halfway(unfit.but(state=error.state), self.wording.done(done), unfit.fix) from None
        return replace(start, survey=survey, plan=survey.plan, reboots=start.reboots - 1, earlier=start.found)

    def _asked(self, name: str, resources: Sequence[Resource[Any]]) -> Sequence[Resource[Any]]:
        """What a node should have, also with what is for this run only, such as upgrades."""
        asked = {each.id: each for each in self.wanted.resources[name] if isinstance(each, Packages)}
        return [asked.get(each.id, each) for each in resources]

    def _taken_back(self, error: RolledBackError, start: Start, done: Sequence[str]) -> LbdeployError:
        """Restore the nodes of earlier stages. Returns the error to raise."""
        before = start.found
        names = [name for name in done if _had_files(before[name])]
        new = [name for name in done if name not in names]
        if not names:
            return taken_back(error, (), new, self.wording.done(new))
        if would_part(self.context.cluster, start, new):
            return taken_back(error, (), done, self.wording.done(done))
        undone: list[str] = []
        self.context.emit(Note(None, f"also undoing the change on {' and '.join(names)}"))
        wanted = start.wanted
        resources = {name: earlier(wanted.resources[name], before[name]) for name in names}
        kept = {name: stays(self._made.get(name, ()), resources[name], before[name]) for name in names}
        try:
            self._undo(
                replace(wanted, resources={**wanted.resources, **resources}, scope=frozenset(names)), names, undone
            )
        except LbdeployError as other:
            known = told(other, [name for name in names if name not in undone])
        else:
            undone, known = names, []
        whole = [name for name in undone if not kept[name]]
        partly = [but_for(name, kept[name]) for name in undone if kept[name]]
        states = [*known, *partly, *self.wording.done(new)]
        return taken_back(error, whole, [name for name in done if name not in whole], states)

    def _perform(
        self, plan: Plan, stage: Stage, before: Survey, wanted: Wanted, *, back: bool = False, force_last: bool = False
    ) -> None:
        from lbdeploy.rollout.stage_runner import StageChange, StageRunner  # most runs find nothing to change

        context = self.context
        runner = StageRunner(context.cluster, context.tasks, context.observer, context.emit, context.options.ignore)
        runner.perform(StageChange(plan, stage, before, wanted, back=back), force_last=force_last)

    def _undo(self, wanted: Wanted, names: Sequence[str], undone: list[str]) -> None:
        """Bring nodes to what is wanted now; `undone` gets those that are. Raises the first one's error.

        Also where one can't be reached.
        """
        self.context.tasks.reach(names)
        survey = self.context.observer.look(wanted)
        for error in survey.errors.values():
            raise error
        plan = survey.plan
        for stage in plan.stages:
            self._perform(plan, stage, survey, wanted, back=True)
            later = {name for each in plan.stages[plan.stages.index(stage) + 1 :] for name in each.names}
            undone += [name for name in names if name in stage.names and name not in later]
            survey = self.context.observer.look(wanted)


def outcome(end: End) -> Outcome:
    """The result of a run for whoever asked for it."""
    return Outcome(end.start.plan, end.survey.verdict, end.done, end.survey.errors)


def lasting(wanted: Wanted) -> Wanted:
    """The same, without the options that are for this run only (upgrade, reinstall), once they were planned."""
    return replace(wanted, resources={name: _lasting(each) for name, each in wanted.resources.items()})


def earlier(resources: Sequence[Resource[Any]], observation: Observation) -> list[Resource[Any]]:
    """The same resources, with the state in which they were observed as the wanted one, and the files removed since."""
    states = observation.states
    gone = {
        path: File(path, content, mode, secret=True)
        for each in resources
        for path, (mode, content) in each.removed(states[each.id]).items()
    }
    return restored([each.as_observed(states[each.id]) for each in resources], gone)


def stays(made: Sequence[Change], back: Sequence[Resource[Any]], observation: Observation) -> list[str]:
    """What of a node's changes `back`, its earlier state, does not take back: for what it had been observed to have.

    A link in a file's place, an owner, a service that was stopped; and packages, which stay once they are installed.
    """
    known = diff([each for each in back if each.id in observation.states], observation).changes
    changed = {(each.kind, each.name) for each in made if each.kind != "package"}
    lasting = [each for each in known if each.action not in MOMENTARY and (each.kind, each.name) in changed]
    return [f"{each.action} {each.name}" for each in (*lasting, *filter(installs, made))]


def would_part(cluster: Cluster, start: Start, new: Sequence[str]) -> bool:
    """Whether nodes that have joined would not hear the others any more, if these got back what they had."""
    members = [member_of(cluster, start.wanted.plan(each), each) for each in start.found.values()]
    return any(strangers(cluster, each, members) for each in members if each.name in new)


def _had_files(observation: Observation) -> bool:
    """Whether a node had its files before; one without them was no member yet, and need not be restored."""
    return observation.states[f"file {KEEPALIVED_CONF}"].kind in ("file", "link")


def _lasting(resources: Sequence[Resource[Any]]) -> list[Resource[Any]]:
    """The same resources, without the options that are for this run only (upgrade, reinstall)."""
    return [each.lasting() for each in resources]
