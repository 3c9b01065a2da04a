"""A run that restores what an earlier run replaced: with the same stages and safeguards, but other contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import InterruptedRunError, LbdeployError, RemoteError
from lbdeploy.events import Emit, Note
from lbdeploy.health.digest.overview import not_deployed
from lbdeploy.node.answers import understood
from lbdeploy.operations.agreed_hosts import Basis, agreed, differing, disagreeing
from lbdeploy.operations.generations import Reader, RollbackTarget, Stored, target
from lbdeploy.planning.desired import desired
from lbdeploy.rollout.loop import Start, Wording
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.run import Run
from lbdeploy.ssh.pool import SessionPool

Ask = Callable[[str], bool]


def stored(pool: SessionPool, limit: tuple[str, ...] = ()) -> dict[str, Stored]:
    """What each node has stored of its past. Raises the first node's error; with `limit`, only of those nodes."""

    def read(node: Node, session: Any) -> Stored:
        reader = Reader()
        return understood(node.name, "generations", reader.read, session.run(reader.script()).output)

    found = pool.each(pool.nodes, read)
    for name, each in found.items():
        if isinstance(each, LbdeployError) and (not limit or name in limit):
            raise each
    return {name: each for name, each in found.items() if not isinstance(each, LbdeployError)}


class Restoring(Run):
    """A run to the files of then, which begins only while these still are what is meant.

    `meant`: whether the nodes have stored the same as when it was chosen what to restore. `last`: the last run is to be
    undone, whichever that is. One that is under way is not stored yet: it may be the one that the operator means, and
    it may stay, or undo itself.
    """

    meant: Callable[[], bool] = staticmethod(lambda: True)
    last = False
    _runs: Mapping[str, str] | None = None

    def start(self) -> Start:
        """As for any run. Raises RemoteError where another run has come in between, LockedError while it is at work."""
        start = super().start()
        before, now = self._runs, start.survey.runs
        self._runs = now
        # Once the lock is held, whatever is under way only watches its peers.
        others = self.last and before is not None and (before != now or start.survey.unended)
        if others or not self.meant():
            if before is None or start.survey.undecided:
                with self.context.locked(start.survey):
                    pass  # it has ended, and so it may be asked for by its name
            raise _another([name for name, run in now.items() if run != (before or now).get(name)] or list(now))
        return start


@dataclass(frozen=True, slots=True)
class Rollback:
    """A rollback on the nodes of `pool`, by hosts.toml as it is now, `origin.hosts`."""

    cluster: Cluster
    pool: SessionPool
    emit: Emit
    origin: Origin
    options: Options

    def prepare(
        self, known: Mapping[str, Stored], run: str | None, ask: Ask | None = None
    ) -> tuple[Run, RollbackTarget]:
        """The run that restores the nodes as they were before `run`, or before the last one; and what it restores.

        Where the nodes' records do not agree, `ask` decides. Raises LbdeployError where there is nobody to ask, too.
        """
        if not any(each.generations or each.hosts for each in known.values()):
            raise not_deployed(self.cluster.name, known, "nothing was changed")
        goal = self._goal(known, run)
        here = Basis(self.cluster, self.origin.hosts)
        stated = {name: goal.nodes[name].hosts if name in goal.nodes else each.hosts for name, each in known.items()}
        basis = agreed(here, stated)
        if not basis and not self.options.limit:
            _approve(goal, disagreeing(here, stated), ask)
        # Without an agreement, each node gets its own old files, nothing else, and others get nothing.
        options = self.options if basis else replace(self.options, limit=tuple(goal.nodes))
        restoring = self._restoring(goal, basis or here, options)
        restoring.last = run is None
        restoring.meant = lambda: self._goal(stored(self.pool, self.options.limit), run) == goal
        return restoring, goal

    def _goal(self, known: Mapping[str, Stored], run: str | None) -> RollbackTarget:
        limit = self.options.limit
        return target({name: each.generations for name, each in known.items() if not limit or name in limit}, run)

    def _restoring(self, goal: RollbackTarget, basis: Basis, options: Options) -> Restoring:
        """A run whose desired state is that of `goal`, judged by the hosts.toml of `basis`."""
        for difference in differing(basis, goal):
            self.emit(Note(None, difference))
        then = basis.cluster
        resources = {node.name: goal.wanted(node.name, desired(then, node)) for node in then.nodes}
        origin = replace(self.origin, hosts=basis.hosts.rstrip("\n"))
        return Restoring(then, self.pool, self.emit, origin, options, resources, wording(goal))


def wording(goal: RollbackTarget) -> Wording:
    """What a rollback says when it does not come to its end."""
    again = ("rollback", "--to", goal.id)
    return Wording(
        changed="{} changed back",
        declined_fix=typed(*again, after=", once it is"),
        halted_fix=typed(*again, after=" goes on; lbdeploy up brings back what hosts.toml says"),
        interrupted_fix=typed(*again, "--ask", after=" shows what is left to do"),
        outdated="the nodes have changed since the plan was shown, and so has the plan",
        outdated_fix=typed("rollback", "--list", after=" shows the runs, lbdeploy rollback --ask what would change"),
        again=typed(*again),
        look=typed(*again, "--ask"),
        forced=str(typed(*again, "--force-last")),
    )


def _another(names: Sequence[str]) -> RemoteError:
    message = "another run was at work since it was looked at which one was the last: that may not be the one you mean"
    fix = typed("rollback", "--list", after=" shows the runs, lbdeploy rollback --to RUN undoes one and all after it")
    return RemoteError(message, node=names[0], state="nothing was changed", fix=fix)


def _approve(goal: RollbackTarget, differ: list[str], ask: Ask | None) -> None:
    """Ask whether each node is to get its own old files, though they don't belong together."""
    names = " and ".join(goal.nodes)
    what = f"the hosts.toml of before that run is not the same on all nodes: that on {' and '.join(differ)} differs"
    then = f"each of {names} would get back its own old files, and the cluster be judged by the present hosts.toml"
    fix = f"lbdeploy rollback --to {goal.id} --limit NODE, for one node after another whose old files you trust"
    if not ask:
        told = f"{fix}; or on a terminal, which asks"
        raise RemoteError(f"{what}; {then}", node=differ[0], state="nothing was changed", fix=told)
    if not ask(f"{what}; {then}"):
        raise InterruptedRunError.said_no(fix)
