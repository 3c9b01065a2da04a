"""What has to change on a node: each resource's wanted state compared with the observed one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.config.model import Node
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Change, Given, Resource, Step


@dataclass(frozen=True, slots=True)
class ResourceDiff:
    """One resource of a node, the state it was found in, and what has to change, if anything."""

    resource: Resource[Any]
    state: Any
    changes: tuple[Change, ...]

    @property
    def given(self) -> Given:
        """What the node records of the resource before anything is changed."""
        return self.resource.given(self.changes)

    def steps(self, changing: Collection[str]) -> Iterator[Step]:
        """The steps that make the changes, if any. `changing`: the files that the same script replaces."""
        return self.resource.steps(self.state, self.changes, changing) if self.changes else iter(())


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Every resource of a node, in the order in which they are applied."""

    node: Node
    parts: tuple[ResourceDiff, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for part in self.parts for change in part.changes)

    def only(self, wanted: Callable[[Resource[Any], Change], bool]) -> NodePlan:
        """The same resources, with only the changes for which `wanted` is true."""
        parts = (
            replace(part, changes=tuple(each for each in part.changes if wanted(part.resource, each)))
            for part in self.parts
        )
        return NodePlan(self.node, tuple(parts))


def diff(resources: Sequence[Resource[Any]], observation: Observation) -> NodePlan:
    """What has to change on one node."""
    return NodePlan(observation.node, tuple(_parts(resources, observation)))


def _parts(resources: Sequence[Resource[Any]], observation: Observation) -> Iterator[ResourceDiff]:
    changing: set[str] = set()  # files that earlier parts replace; services that watch them must reload
    for resource in resources:
        state = observation.states[resource.id]
        changes = tuple(resource.compare(state, changing))
        changing |= {change.name for change in changes if change.kind == "file"}
        yield ResourceDiff(resource, state, changes)
