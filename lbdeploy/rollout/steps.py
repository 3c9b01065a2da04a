"""The steps of a node's plan, phase by phase, from which a script is put together."""

from __future__ import annotations

from itertools import chain

from lbdeploy.node.drift import NodePlan
from lbdeploy.node.resources.base import Phase


class Steps:
    """The steps of a plan's resources: of all, or of those that are `early` (see Resource), or of the others.

    A script takes them, each phase once, in the order in which they are to be done.
    """

    def __init__(self, plan: NodePlan, *, early: bool | None = None) -> None:
        changing = {change.name for change in plan.changes if change.kind == "file"}
        self._parts = [part for part in plan.parts if early is None or part.resource.early is early]
        self._left: dict[Phase, list[str]] = {}
        for part in self._parts:
            for phase, step in part.steps(changing):
                self._left.setdefault(phase, []).append(step)

    def take(self, *phases: Phase) -> list[str]:
        """Takes out the steps of these phases."""
        return [step for phase in phases for step in self._left.pop(phase, [])]

    def staged(self) -> list[str]:
        """The phase in which the new content of files is written, as one step of which the operator is told."""
        files = self.take(Phase.STAGE)
        return ["step write the files", *files] if files else []

    def has(self, phase: Phase) -> bool:
        """Whether any step of this phase has not been taken out."""
        return phase in self._left

    def require_all_taken(self) -> None:
        """Raise where a kind of resource has steps of a phase that the script does not have: they would be lost."""
        left = self._left.keys() - {Phase.REHEARSE}
        if left:
            raise LookupError(f"the script has no place for: {', '.join(sorted(phase.name for phase in left))}")

    @property
    def change_files(self) -> bool:
        """Whether any file is replaced or deleted."""
        return any(part.changes and (part.given.managed or part.given.dropped) for part in self._parts)

    @property
    def paths(self) -> list[str]:
        """The files whose content is kept before any of them changes, also those that do not change."""
        given = [part.given for part in self._parts]
        return [*chain(*(each.managed for each in given)), *chain(*(each.dropped for each in given))]
