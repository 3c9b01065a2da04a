"""A run, from hosts.toml to a verified cluster. `up` reads like its table of contents."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from lbdeploy.config.model import Cluster
from lbdeploy.errors import InterruptedRunError, LbdeployError, RebootedError, RemoteError, RolledBackError
from lbdeploy.events import Emit, Note
from lbdeploy.health.verdict import Verdict
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import File, Gone, Packages, Service
from lbdeploy.node.resources.base import Resource
from lbdeploy.planning.desired import KEEPALIVED_CONF, NO_FIREWALL, desired
from lbdeploy.planning.plan import Plan
from lbdeploy.rollout.former_peers import findings, former_peers
from lbdeploy.rollout.interrupt import Interrupt
from lbdeploy.rollout.lock import Lock, locking
from lbdeploy.rollout.node_tasks import NodeTasks
from lbdeploy.rollout.observer import POLL_SECONDS, Observer, Wanted
from lbdeploy.rollout.options import Options
from lbdeploy.rollout.origin import Origin
from lbdeploy.rollout.outcome import going_on
from lbdeploy.rollout.stage_runner import StageRunner
from lbdeploy.rollout.survey import Survey, unfit
from lbdeploy.ssh.pool import SessionPool

REBOOTS = 2  # how often a run continues after a node rebooted in the middle of it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found, and did. `done` are the nodes that were changed, `errors` has those that were left out."""

    plan: Plan
    verdict: Verdict
    done: tuple[str, ...] = ()
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)


class Run:
    """One command's work on the nodes of `pool`, which may still be connecting to them. Raises RenderError.

    `wanted` replaces the desired state of each node that follows from hosts.toml.
    """

    def __init__(  # noqa: PLR0917  who, with what, for whom
        self,
        cluster: Cluster,
        pool: SessionPool,
        emit: Emit,
        origin: Origin,
        options: Options | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        self.cluster = cluster
        self.options = options or Options()
        self.scope = [node.name for node in pool.nodes if not self.options.limit or node.name in self.options.limit]
        self.again = "lbdeploy up goes on; lbdeploy rollback goes back"  # what to type after an interruption
        self._pool = pool
        self._emit = emit
        self._origin = origin
        self._interrupt = Interrupt(emit)
        self._tasks = NodeTasks(pool, origin, emit)
        asked: dict[str, Any] = {"upgrade": self.options.upgrade, "reinstall": self.options.reinstall}
        wanted = wanted or {node.name: desired(cluster, node, **asked) for node in pool.nodes}
        self._observer = Observer(cluster, pool, wanted, self.scope, emit)

    def up(self, approve: Callable[[Plan], bool] | None = None) -> Outcome:
        """Bring every node to the state that hosts.toml describes. Raises the first node's error where one fails.

        `approve` is shown a plan that has changes, and may refuse it: then InterruptedRunError is raised.
        """
        before = self._begin()
        plan = before.plan
        if not plan.changes:
            return self._settle(plan, before, ())
        if approve and not approve(plan):
            raise InterruptedRunError("not approved", state="nothing was changed", fix="lbdeploy up, once it is")
        with self._locked(before) as lock, self._interrupt:
            if lock.runs != before.runs:
                before = self._begin()
                plan = _still(plan, before.plan, asked=approve is not None)
            done = self._carry_out(plan, before, lock)
            return self._settle(plan, before, done)

    def plan(self) -> Outcome:
        """What `up` would do. Raises where it would refuse to begin."""
        survey = self._begin()
        return Outcome(survey.plan, survey.verdict, errors=survey.errors)

    def verify(self, wait: float = 0.0) -> Outcome:
        """The state of the running cluster; observed again for up to `wait` seconds, until it is healthy."""
        deadline = time.monotonic() + wait
        while True:
            survey = self.survey()
            if (survey.verdict.healthy and not survey.errors) or time.monotonic() >= deadline:
                verdict = survey.verdict.with_more(findings(former_peers(survey, self._pool)))
                return Outcome(survey.plan, verdict, errors=survey.errors)
            time.sleep(POLL_SECONDS)

    def survey(self) -> Survey:
        """Observe the nodes, in parallel, with one remote command each."""
        return self._observer.survey()

    def _begin(self) -> Survey:
        survey = self.survey()
        self._refuse(survey)
        return survey

    def _refuse(self, survey: Survey) -> None:
        """Raise where the run must not begin."""
        survey.refuse(self.options.ignore)
        self._refuse_former_peers(survey)

    def _refuse_former_peers(self, survey: Survey) -> None:
        found = list(findings(former_peers(survey, self._pool)))
        for each in found:
            if each.is_warning:
                self._emit(Note(None, f"{each.detail}: {each.fix}"))
        problems = [each for each in found if each.is_error and each.check not in self.options.ignore]
        if problems:
            raise unfit(problems)

    def _locked(self, survey: Survey) -> AbstractContextManager[Lock]:
        nodes = [node for node in self._pool.nodes if node.name in survey.seen]
        return locking(self._pool, nodes, self._origin.about, self.options.lock_wait, self._emit)

    def _carry_out(self, plan: Plan, before: Survey, lock: Lock, reboots: int = REBOOTS) -> tuple[str, ...]:
        """Perform the stages; returns the names of the nodes that were changed.

        Where a stage fails and is undone, the nodes of earlier stages are restored, too. Where a node rebooted in the
        middle, the run continues with what is left to do.
        """
        self._observer.wanted = {name: lasting(each) for name, each in self._observer.wanted.items()}
        done: tuple[str, ...] = ()
        seen = before
        for stage in plan.stages:
            self._safe_point(plan, done, lock)
            try:
                self._stage_runner.perform(plan, stage, seen)
            except KeyboardInterrupt:
                raise self._left(done) from None
            except RebootedError as error:
                return done + self._go_on(error, lock, reboots)
            except RolledBackError as error:
                raise self._taken_back(error, done, before) from None
            except LbdeployError as error:
                raise _with_done(error, done) from None
            done += tuple(name for name in stage.names if name not in done)
            seen = self._observer.look() if stage is not plan.stages[-1] else seen
        self._safe_point(plan, done, lock)
        return done

    @property
    def _stage_runner(self) -> StageRunner:
        force, ignore = self.options.force_last, self.options.ignore
        return StageRunner(self.cluster, self._tasks, self._observer, self._emit, force_last=force, ignore=ignore)

    def _safe_point(self, plan: Plan, done: Sequence[str], lock: Lock) -> None:
        left = [name for name in dict.fromkeys(name for names in plan.order for name in names) if name not in done]
        state = [f"{_names(done)} changed" if done else "", f"{_names(left)} left as it was" if left else ""]
        self._interrupt.check("; ".join(filter(None, state)), self.again)
        if left:  # where nothing is left to do, nobody needs the lock any more
            lock.check()

    def _go_on(self, error: RebootedError, lock: Lock, reboots: int) -> tuple[str, ...]:
        if not reboots:
            raise error
        self._emit(Note(None, f"{error.node} rebooted and is back: continuing with what is left to do"))
        lock.forget(error.node or "")
        survey = self._observer.until_settled(self.scope)
        survey.refuse(self.options.ignore)
        return self._carry_out(survey.plan, survey, lock, reboots - 1)

    def _taken_back(self, error: RolledBackError, done: Sequence[str], before: Survey) -> LbdeployError:
        """Restore the nodes of earlier stages. Returns the error to raise."""
        names = [name for name in done if _had_files(before.observations[name])]
        if not names:
            return error
        self._emit(Note(None, f"also undoing the change on {_names(names)}"))
        wanted = self._observer.wanted
        self._observer.wanted = {
            **wanted, **{name: earlier(wanted[name], before.observations[name]) for name in names}
        }  # fmt: skip
        scope, self._observer.scope = self._observer.scope, frozenset(names)
        try:
            self._undo_all(names)
        except LbdeployError as other:
            state = f"{error.node} is as before; {_names(names)} keeps the change: {other.message}"
            return RemoteError(
                error.message, node=error.node, state=state, fix="lbdeploy rollback", detail=error.detail
            )
        finally:
            self._observer.wanted, self._observer.scope = wanted, scope
        state = f"{_names((*names, error.node or ''))}: as before"
        return RolledBackError(error.message, node=error.node, state=state, fix=error.fix, detail=error.detail)

    def _undo_all(self, names: Sequence[str]) -> None:
        """Bring nodes to the state now wanted. Raises the first one's error, also where one can't be reached."""
        self._tasks.reach(names)
        survey = self._observer.look()
        for error in survey.errors.values():
            raise error
        plan = survey.plan
        for stage in plan.stages:
            self._stage_runner.perform(plan, stage, survey, back=True)
            survey = self._observer.look()

    def _left(self, done: Sequence[str]) -> InterruptedRunError:
        """The error where the operator interrupted the run in the middle of a stage."""
        going = [going_on(work) for work in self._tasks.under_way.values()]
        state = "; ".join([*going, *([f"{_names(done)} changed"] if done else [])])
        return InterruptedRunError("interrupted", state=state, fix="lbdeploy plan shows what is left to do")

    def _settle(self, plan: Plan, before: Survey, done: tuple[str, ...]) -> Outcome:
        settled = not plan.changes and before.verdict.settled(self.scope)
        survey = before if settled else self._observer.until_settled(self.scope, before.errors)
        return Outcome(plan, survey.verdict, done, survey.errors)


def earlier(resources: Sequence[Resource[Any]], observation: Observation) -> list[Resource[Any]]:
    """The same resources, but with the files as they were observed then."""
    return [_as_it_was(each, observation.states[each.id]) for each in resources]


def _as_it_was(resource: Resource[Any], state: Any) -> Resource[Any]:
    match resource:
        case File() if state.kind == "file":
            return replace(resource, content=state.content, mode=state.mode)
        case File() if state.kind == "missing":
            return Gone(f"none at {resource.path}", (resource.path,))
        case Service() if resource.ours and state.load == "not-found":
            return NO_FIREWALL
        case Packages():
            return replace(resource, pins=())
    return resource


def _had_files(observation: Observation) -> bool:
    """Whether a node had its files before; one without them was no member yet, and need not be restored."""
    return bool(observation.states[f"file {KEEPALIVED_CONF}"].kind == "file")


def lasting(resources: Sequence[Resource[Any]]) -> list[Resource[Any]]:
    """The same resources, without the options that are for this run only (upgrade, reinstall)."""
    return [replace(each, upgrade=False, reinstall=()) if isinstance(each, Packages) else each for each in resources]


def _still(plan: Plan, now: Plan, *, asked: bool) -> Plan:
    """The plan as it is now that the lock is held. Raises RemoteError where a different one was approved."""
    if asked and plan.to_json() != now.to_json():
        raise RemoteError(
            "another run has changed the nodes since the plan was shown",
            state="nothing was changed",
            fix="lbdeploy up --ask",
        )
    return now


def _with_done(error: LbdeployError, done: Sequence[str]) -> LbdeployError:
    """The error of a stage, with the nodes of earlier stages, which keep their change."""
    if not done:
        return error
    error = copy(error)
    keep = f"{_names(done)} {'keeps its change' if len(done) == 1 else 'keep their changes'}"
    error.state = "; ".join(filter(None, (error.state, keep)))
    return error


def _names(names: Sequence[str]) -> str:
    return " and ".join(names)
