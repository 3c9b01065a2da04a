"""How a run ends: its exit code and its JSON document, as the JSON contract defines them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lbdeploy.common.typed import typed
from lbdeploy.errors import (
    ConnectError,
    InterruptedRunError,
    LbdeployError,
    LockedError,
    RemoteError,
    RenderError,
    RolledBackError,
    UnhealthyError,
    UsageError,
    together,
)

if TYPE_CHECKING:
    from lbdeploy.health.awaited import Goal
    from lbdeploy.health.finding import Finding
    from lbdeploy.health.verdict import Verdict
    from lbdeploy.operations.doctor.doctor import Diagnosis
    from lbdeploy.operations.handover.result import HandoverResult
    from lbdeploy.operations.history.event import History
    from lbdeploy.operations.rebuild import Rebuilt
    from lbdeploy.operations.servers.result import ServerResult
    from lbdeploy.operations.status import Status
    from lbdeploy.planning.lint.lints import Lint
    from lbdeploy.rollout.run import Outcome

CHANGES_PENDING = 3
MEANINGS = {
    0: "done, healthy, nothing to change",
    LbdeployError.exit_code: "failed, refused, or done without a node that is down; the message says what state the "
    "cluster is in",
    UsageError.exit_code: "bad usage, hosts.toml or template",
    CHANGES_PENDING: "changes are pending (`plan`, `servers`)",
    ConnectError.exit_code: "a node could not be reached or logged into, its host key is not the known one, or its "
    "answer makes no sense",
    LockedError.exit_code: "another run is at work; the message says whose",
    UnhealthyError.exit_code: "something is wrong with the cluster (`up`, `verify`, `rebuild`, `rollback`, `handover`) "
    "or in the way (`doctor`), or an outage was longer than predicted (`drill`, `handover`)",
    RolledBackError.exit_code: "failed and undone; the nodes are as before",
    InterruptedRunError.exit_code: "interrupted",
}
# Which of them it is where more than one would fit.
RULE = """\
Where several fit: what only looks (`plan`, `verify`, `status`, `doctor`, `show --live`) ends with 4 if any
node could not be looked at, for whatever reason, since what is wrong there is not known; with 6 or 3 only if
all were. What changes something ends with 4 if that kept it from beginning, or if it lost a node on the way;
with 1 or 7 if the change failed; with 1 if it left out a node that is down (`down`: 4, and it is to be run
again); with 6 if all was done, and the cluster is not healthy then."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """The exit code, and the document of a command without its common head. It includes `error`, if there is one.

    `shown`: the report says everything in the error, so that it need not be shown again.
    """

    exit_code: int
    document: dict[str, Any]
    error: LbdeployError | None = None
    shown: bool = False


def planned(outcome: Outcome) -> ExitStatus:
    """The end of `plan`: a node that could not be observed takes precedence over pending changes."""
    document = {
        "changes": outcome.plan.to_json(),
        "order": outcome.plan.order,
        "stages": [stage.to_json() for stage in outcome.plan.stages],
        "drained": [
            {"node": node, "frontend": each.frontend, "server": each.server, **each.to_json()}
            for node, each in outcome.verdict.drains
        ],
        "refused": [each.to_json() for each in outcome.refused],
    }
    if outcome.errors:
        return _unseen(outcome.errors.values(), document)
    return ExitStatus(CHANGES_PENDING if outcome.plan.changes else 0, document)


def changed(outcome: Outcome) -> ExitStatus:
    """The end of a run that may have changed something: a node that was left out makes it a failure."""
    document = {"changes": outcome.plan.to_json(), **outcome.verdict.to_json()}
    if outcome.errors:
        return _failed(together(_left_out(outcome)), document)
    return _judged("nothing is left to do, but", outcome.verdict, document)


def rebuilt(outcome: Rebuilt) -> ExitStatus:
    """The end of `rebuild`: problems of other nodes only make the cluster unhealthy."""
    document = {"changes": outcome.plan.to_json(), **outcome.verdict.to_json(), **outcome.to_json()}
    if outcome.errors:
        return _failed(together(outcome.errors.values()), document)
    if not outcome.verdict.healthy:
        return _failed(_unhealthy(f"{outcome.name} is a member again, but", outcome.verdict), document)
    return ExitStatus(0, document)


def handed_over(moved: HandoverResult) -> ExitStatus:
    """The end of `handover`: failed connections take precedence over an unhealthy cluster."""
    return _handed_over([moved], moved.to_json())


def all_handed_over(results: Sequence[HandoverResult]) -> ExitStatus:
    """The end of a `handover` of several groups, one after the other."""
    from lbdeploy.operations.handover.result import together as joined

    return _handed_over(results, joined(results))


def _handed_over(results: Sequence[HandoverResult], document: dict[str, Any]) -> ExitStatus:
    last = results[-1]
    for each in results:
        if not each.in_time:
            return _failed(_lossy(each), document)
    if not last.verdict.healthy:
        return _failed(_unhealthy(f"{last.taker} holds the VIPs, but", last.verdict), document)
    return ExitStatus(0, document)


def told_servers(result: ServerResult) -> ExitStatus:
    """The end of `drain` and `undrain`: nodes that did not do it, then connections that are left after waiting."""
    document = result.to_json()
    if result.errors:
        return _failed(_undone(result), document)
    tried = "could not be closed" if result.closed else f"are left after {result.waited or 0:g} s"
    if result.gave_up:
        left = ", ".join(f"{number} on {name}" for name, number in result.left.items())
        again = result.typed("drain", "--wait", "60")
        error = LbdeployError(
            f"open connections to {result.server} {tried}: {left}",
            state=f"{result.server} is drained: it gets no new ones",
            fix=typed(*again.words[1:], after=f"; to close them: {again} --shutdown"),
        )
        return _failed(error, document)
    return ExitStatus(0, document)


def _undone(result: ServerResult) -> LbdeployError:
    """The error for nodes on which it was not done: it says on which ones it was."""
    is_so = "drained" if result.state == "drain" else "in use"
    where = f"{result.server} is {is_so} on {' and '.join(result.nodes)}" if result.nodes else "no node did it"
    verb = "drain" if result.state == "drain" else "undrain"
    return together(result.errors.values()).but(
        state=f"{where}; on {' and '.join(result.errors)} it is as it was, as far as is known",
        fix=result.typed(verb, before="the same again, once that is repaired: "),
    )


def verified(outcome: Outcome, goal: Goal | None = None) -> ExitStatus:
    """The end of `verify`: an unreachable node takes precedence over an unhealthy cluster, and that over the goal."""
    document = outcome.verdict.to_json()
    if outcome.errors:
        return _unseen(outcome.errors.values(), document, shown=True)
    from lbdeploy.health.awaited import missing

    late = missing(outcome.verdict.findings, goal) if goal and outcome.verdict.healthy else []
    if late:
        message = f"what was waited for has not come about: {_listed(late)}"
        return _failed(UnhealthyError(message, state="nothing was changed", fix=late[0].fix), document)
    return _judged("", outcome.verdict, document)


def looked(status: Status) -> ExitStatus:
    """The end of `status`, which judges only whether every node could be observed."""
    document = status.to_json()
    if not status.errors:
        return ExitStatus(0, document)
    return _unseen(status.errors.values(), document, shown=True)


def linted(lints: Sequence[Lint]) -> ExitStatus:
    """The end of `check`: warnings are no failure."""
    document = {"findings": [each.to_json() for each in lints]}
    wrong = [each for each in lints if each.severity == "error"]
    if not wrong:
        return ExitStatus(0, document)
    listed = "; ".join(f"{each.file}: {each.message}" for each in wrong)
    error = RenderError(
        f"what would be written will not work: {listed}",
        node=wrong[0].node,
        state="nothing was contacted",
        fix=wrong[0].fix,
    )
    return _failed(error, document, shown=True)


def examined(diagnosis: Diagnosis) -> ExitStatus:
    """The end of `doctor`: a node that could not be examined takes precedence over problems on the others."""
    document: dict[str, Any] = {"findings": [each.to_json() for each in diagnosis.findings]}
    if diagnosis.errors:
        return _unseen(diagnosis.errors.values(), document, shown=True)
    if not diagnosis.problems:
        return ExitStatus(0, document)
    error = UnhealthyError(
        f"something is in the way of lbdeploy up: {_listed(diagnosis.problems)}",
        state="nothing was changed",
        fix=diagnosis.problems[0].fix,
    )
    return _failed(error, document, shown=True)


def looked_back(history: History) -> ExitStatus:
    """The end of `history`: what is known is told, whatever is not."""
    document = history.to_json()
    return _unseen(history.errors.values(), document) if history.errors else ExitStatus(0, document)


def of_many(entries: Iterable[Mapping[str, Any]], exit_code: int) -> dict[str, Any]:
    """The `error` of a document of many files, by their entries: the first one that ends as all do, with its file."""
    for each in entries:
        if exit_code and each["exit_code"] == exit_code and "error" in each:
            return {"error": {**each["error"], "file": each["file"]}}
    return {}


def _failed(error: LbdeployError, document: dict[str, Any], *, shown: bool = False) -> ExitStatus:
    return ExitStatus(error.exit_code, {**document, "error": error.to_json()}, error, shown)


def _unseen(errors: Iterable[LbdeployError], document: dict[str, Any], *, shown: bool = False) -> ExitStatus:
    """The end of a command that looks, where nodes could not be looked at, whatever the reason."""
    return replace(_failed(together(errors), document, shown=shown), exit_code=ConnectError.exit_code)


def _judged(what: str, verdict: Verdict, document: dict[str, Any]) -> ExitStatus:
    """The end of a command whose report shows the findings."""
    return ExitStatus(0, document) if verdict.healthy else _failed(_unhealthy(what, verdict), document, shown=True)


def _unhealthy(what: str, verdict: Verdict) -> UnhealthyError:
    state = "what was done is not undone" if what else "nothing was changed"
    if absent := verdict.overview.undeployed(state):
        return UnhealthyError(absent.message, state=state, fix=absent.fix)
    wrong = "is healthy, but not as hosts.toml says" if verdict.only_drift and not what else "is not healthy"
    failed = verdict.errors
    message = f"{what} the cluster {wrong}: {'; '.join(each.text for each in failed)}".lstrip()
    return UnhealthyError(message, state=state, fix=failed[0].finding.fix)


def _listed(findings: Iterable[Finding]) -> str:
    return "; ".join(f"{each.node}: {each.detail}" if each.node else each.detail for each in findings)


def _lossy(moved: HandoverResult) -> UnhealthyError:
    lost = f"{moved.failed} of {moved.probes} new connections failed, and the longest outage was {moved.outage:.2f} s"
    return UnhealthyError(
        f"clients have lost more than the {moved.expected:.2f} s that the timers predict: {lost}",
        state=f"{moved.taker} holds the VIPs",
        fix=f"see what happened: journalctl -u keepalived -n 20 on {moved.giver} and {moved.taker}",
    )


def _left_out(outcome: Outcome) -> Iterator[RemoteError]:
    for name, error in outcome.errors.items():
        yield RemoteError(
            f"skipped: {error.message}",
            node=name,
            state=f"the others are as hosts.toml says, and hold the VIPs; {name} is not",
            fix=typed("up", before="bring it back, then: "),
        )
