"""The difference between what nodes have and what they should have. Pure: plan, drift and idempotence are one diff."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.model import Node
from lbdeploy.probe import Observation
from lbdeploy.resource import Change, Resource


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a node, the state it was found in, and what has to change, if anything."""

    resource: Resource[Any]
    state: Any
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Every resource of a node, in the order in which they are brought about."""

    node: Node
    parts: tuple[Part, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for part in self.parts for change in part.changes)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `order` are the nodes' names in the batches in which they are changed."""

    nodes: Mapping[str, NodePlan]
    order: tuple[tuple[str, ...], ...]

    @property
    def changes(self) -> tuple[tuple[str, Change], ...]:
        """Every change with the name of its node, in the order of the run."""
        return tuple((name, change) for batch in self.order for name in batch for change in self.nodes[name].changes)

    def to_json(self) -> list[dict[str, str]]:
        """The `changes` of the JSON contract."""
        return [{"node": name, **change.to_json()} for name, change in self.changes]


def diff(resources: Sequence[Resource[Any]], observation: Observation) -> NodePlan:
    """What has to change on one node."""
    return NodePlan(observation.node, tuple(_parts(resources, observation)))


def _parts(resources: Sequence[Resource[Any]], observation: Observation) -> Iterator[Part]:
    changing: set[str] = set()  # the files that earlier parts replace: services that watch them must read them
    for resource in resources:
        state = observation.states[resource.id]
        changes = tuple(resource.compare(state, changing))
        changing |= {change.name for change in changes if change.kind == "file"}
        yield Part(resource, state, changes)


def batches(
    plans: Mapping[str, NodePlan], holders: Collection[str], living: bool, together: Collection[str] = ()
) -> tuple[tuple[str, ...], ...]:
    """The nodes that need changes, in the order to change them.

    Where nothing lives yet, all at once. On a living cluster one at a time: those that hold no VIP first, the lowest
    priority first, and the holders last, so that every step leaves a tried node to fall back on. Last of all come those
    that must change `together`.
    """
    needy = [name for name, plan in plans.items() if plan.changes]
    if not living:
        return (tuple(needy),) if needy else ()
    needy.sort(key=lambda name: (name in holders, plans[name].node.priority))
    last = tuple(name for name in needy if name in together)
    return (*((name,) for name in needy if name not in together), *((last,) if last else ()))
