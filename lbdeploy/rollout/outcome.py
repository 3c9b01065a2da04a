"""What became of the nodes of a stage that went wrong: only what a node has said itself is claimed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lbdeploy.common.typed import typed
from lbdeploy.errors import ConnectError, LbdeployError, LostError, RemoteError, RolledBackError
from lbdeploy.node.resources.package import installs

if TYPE_CHECKING:
    from lbdeploy.rollout.node_tasks import NodeTask

AS_BEFORE = ": as before"


def outcome(cause: LbdeployError, works: Sequence[NodeTask]) -> LbdeployError:
    """The error that ended a stage, with the state of each of its nodes.

    A RolledBackError only where every node has said that it is as before.
    """
    fix = cause.fix or typed("plan", before="fix the cause, then: ")
    undone = [work for work in works if _as_before(work)]
    installed = any(installs(each) for work in undone for each in work.transaction.task.plan.changes)
    kind: type[LbdeployError] = RemoteError
    if len(undone) == len(works):
        kind = RemoteError if installed else RolledBackError
        state = f"{' and '.join(work.node.name for work in works)}{AS_BEFORE}"
    else:
        fix = _next(works)
        state = "; ".join(state_of(work) for work in works)
    state += "; packages that were installed stay" if installed else ""
    return kind(cause.message, node=cause.node, state=state, fix=fix, detail=cause.detail)


def kept_by_others(cause: LbdeployError, works: Sequence[NodeTask]) -> LbdeployError:
    """The error of a node that has said how it is itself, adding the others that keep their change."""
    others = [state_of(work) for work in works if work.node.name != cause.node and _keeps(work)]
    own = f"{cause.node}: {cause.state or 'its state is not known'}"
    return cause.but(state="; ".join((own, *others))) if others else cause


def halfway(error: LbdeployError, done: Sequence[str], fix: str | None) -> LbdeployError:
    """The error of a stage, adding that nodes of others are `done` already, so not everything is as before."""
    state = "; ".join(filter(None, (error.state, *done)))
    kind = RemoteError if isinstance(error, RolledBackError) and done else type(error)
    return kind(error.message, node=error.node, state=state, fix=fix, detail=error.detail)


def taken_back(
    error: RolledBackError, undone: Sequence[str], left: Sequence[str], states: Sequence[str]
) -> LbdeployError:
    """The error of a run whose last stage was undone by its nodes, and whose earlier ones have been on `undone` by now.

    `states` are those of the nodes that are `left`. If there are any, not everything is as before: no RolledBackError.
    """
    own = (error.state or "").removesuffix(AS_BEFORE) if (error.state or "").endswith(AS_BEFORE) else error.node or ""
    # A node of several stages may be among both.
    before = f"{' and '.join(dict.fromkeys(filter(None, (*undone, *own.split(' and ')))))}{AS_BEFORE}"
    if not left:
        return error.but(state=before) if undone else error
    state, fix = "; ".join((before, *states)), typed("plan")
    return RemoteError(error.message, node=error.node, state=state, fix=fix, detail=error.detail)


def told(error: LbdeployError, left: Sequence[str]) -> list[str]:
    """The states of nodes whose change could not be undone: of one, its own error's; the others keep it."""
    concerned = error.node if error.node in left else None
    others = [name for name in left if name != concerned]
    found = [f"{concerned} was to undo its change, too: {error.message}; {error.state or 'its state is not known'}"]
    kept = [f"{' and '.join(others)} {'keeps its' if len(others) == 1 else 'keep their'} change"]
    return [*(found if concerned else []), *(kept if others else [])]


def state_of(work: NodeTask) -> str:
    """The state of a node, as far as it is known: what its last task has led to, and what it had done before that."""
    name, progress = work.node.name, work.progress
    if _as_before(work):
        return f"{name} is as before"
    if _undone(work):
        last = ", ".join(f"{each.action} {each.name}" for each in work.transaction.task.plan.changes)
        return f"{name} keeps its change, but for: {last}"
    stays = progress.exit != 0 and not all(_undone(each) for each in work.earlier)
    return _state(work) + ("; what it had done before stays" if stays and progress.outrun is None else "")


def _state(work: NodeTask) -> str:
    name, progress = work.node.name, work.progress
    if progress.restored is False:
        return f"not everything could be put back on {name}"
    if progress.locked is not None or progress.outrun is not None:
        return f"{name} is in another run's hands: {progress.locked or progress.outrun}"
    if progress.exit == 0:
        return f"{name} keeps its change"
    if progress.kept:
        return f"{name} keeps its change, unless it finds that a peer has undone it"
    return going_on(work)


def going_on(work: NodeTask) -> str:
    """What a node does by itself once the connection is gone, and how to check on it."""
    name, progress = work.node.name, work.progress
    if progress.exit is not None:
        return f"{name} has ended: {progress.step}"
    if work.told_to_keep:
        return f"{name} was lost as it was told to keep its change: whether it has heard that is not known"
    if progress.waits:
        return f"{name} undoes its change by itself, within seconds, since nobody confirms it"
    look = f"to look: ssh {work.node.host} sudo tail -f {work.transaction.log}"
    return f"{name} goes on by itself with: {progress.step}; it finishes, or puts everything back ({look})"


def but_for(name: str, changes: Sequence[str]) -> str:
    """The state of a node that has got back what it had, except for these changes."""
    return f"{name} is as before, but for: {', '.join(changes)}"


def cut_off(work: NodeTask, lost: LostError) -> RemoteError:
    """The error for a change that has cut off the operator, and that the node has said it has undone."""
    installed = any(installs(each) for each in work.transaction.task.plan.changes)
    but = "; packages that were installed stay" if installed else ""
    later = "" if work.progress.awaiting is None else f" {work.progress.awaiting} s later"
    return (RemoteError if installed else RolledBackError)(
        f"the node could not be reached any more after the change ({lost.message})",
        node=work.node.name,
        state=f"it has undone the change by itself{later}, and is as before{but}",
        fix=typed("plan", before="fix the cause, then: "),
    )


def lost_for_good(work: NodeTask, error: ConnectError) -> LostError:
    """The error for a node that was lost, and could not be reached again in time."""
    return LostError(
        f"the node was lost, and did not come back: {error.message}",
        node=work.node.name,
        state=going_on(work),
        fix=typed("verify", after=", once it can be reached"),
        silent=True,
    )


def worst(results: Sequence[object]) -> LbdeployError | None:
    """The most important error, if any: what could not be restored takes precedence over what could."""
    errors = [each for each in results if isinstance(each, LbdeployError)]
    return min(errors, key=lambda error: isinstance(error, RolledBackError), default=None)


def _as_before(work: NodeTask) -> bool:
    """Whether the node has said that it is as it was before the stage."""
    return all(_undone(each) for each in (*work.earlier, work))


def _undone(task: NodeTask) -> bool:
    """Whether the node has said that this task has changed nothing: undone, not begun, or only rehearsed."""
    progress = task.progress
    if progress.exit == 0:
        return task.transaction.task.rehearsal
    return progress.restored is True or (progress.exit is not None and progress.restored is None and not progress.kept)


def _keeps(work: NodeTask) -> bool:
    """Whether the node has said that its change stays, all or in part."""
    return not _as_before(work) and (work.progress.exit == 0 or _undone(work))


def _next(works: Sequence[NodeTask]) -> str:
    """What to type where not all nodes are as before."""
    if all(_as_before(work) or _keeps(work) for work in works):
        return typed("up", before="fix the cause, then: ")  # it does what is left
    return typed("plan" if all(work.progress.exit is not None for work in works) else "verify")
