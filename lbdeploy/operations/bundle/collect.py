"""Asking everybody for a bundle. Nothing that a node does ends it: what could not be had is told in the archive."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError, LostError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.node.resources import File
from lbdeploy.operations.bundle.archive import Bundle, folder
from lbdeploy.operations.bundle.contents import Missing, Part, document
from lbdeploy.operations.bundle.laptop import collect as collect_here
from lbdeploy.operations.bundle.node import Questions
from lbdeploy.operations.exit_status import planned, verified
from lbdeploy.planning.desired import desired
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.run import Run
from lbdeploy.ssh.limits import MIB, Limits
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

LIMITS = Limits(300, 120, 48 * MIB)


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects from the nodes of `pool`, from this machine, and what `verify` finds."""

    cluster: Cluster
    pool: SessionPool
    emit: Emit
    origin: Origin

    def bundle(self) -> Bundle:
        """All that could be had."""
        summary, judged = self._judged()
        answers = self.pool.each(self.pool.nodes, self._ask)
        asked = [_part(name, answer) for name, answer in answers.items()]
        parts = [judged, collect_here(self.cluster.path, self.origin.hosts), *asked]
        at = time.time()
        return Bundle(
            folder(self.cluster.name, at),
            self.cluster.name,
            at,
            summary,
            tuple(name for name, answer in answers.items() if isinstance(answer, Part)),
            tuple(entry for part in parts for entry in part.entries),
            tuple(missing for part in parts for missing in part.missing),
        )

    def _judged(self) -> tuple[str, Part]:
        """The cluster in one line, and what `verify` finds and `plan` would do; where that fails, why."""
        try:
            outcome = Run(self.cluster, self.pool, self.emit, self.origin).verify()
        except LbdeployError as error:
            why = f"{f'{error.node}: ' if error.node else ''}{error.message}"
            return f"{self.cluster.name}: could not be looked at", Part((), (Missing(None, "cluster", why),))
        found, verdict = verified(outcome), outcome.verdict
        holders = ", ".join(verdict.overview.holders) or "no node"
        errors = {name: each.to_json() for name, each in outcome.errors.items()}
        entries = (
            document("cluster/verify.json", {**found.document, "unreached": errors}),
            document("cluster/plan.json", planned(outcome).document),
        )
        return f"{self.cluster.name}: {verdict.state}, VIPs on {holders}", Part(entries)

    def _ask(self, node: Node, session: Session) -> Part:
        """All that a node says, or what it had said when its connection was lost."""
        questions = Questions(node.name, _rendered(self.cluster, node))
        said: list[str] = []
        self.emit(Step(node.name, "collect"))
        try:
            session.run(questions.script(), said.append, LIMITS)
            why = ""
        except LostError as error:
            if not said:
                raise
            why = error.message
        self.emit(Done(node.name, "collected" if not why else f"collected in part: {why}", ok=not why))
        return questions.read("\n".join(said), why)


def _part(name: str, answer: Part | LbdeployError) -> Part:
    if isinstance(answer, Part):
        return answer
    return Part((), (Missing(name, "the node", f"{answer.message}; {answer.fix}" if answer.fix else answer.message),))


def _rendered(cluster: Cluster, node: Node) -> Mapping[str, str]:
    """The node's files as this version would write them; none where a template has a mistake."""
    try:
        return {each.path: each.content for each in desired(cluster, node) if isinstance(each, File)}
    except LbdeployError:
        return {}
