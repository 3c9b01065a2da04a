"""The difference between the actual and the desired state of nodes. Pure: plan, drift and idempotence are one diff."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
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
    """Every resource of a node, in the order in which they are applied."""

    node: Node
    parts: tuple[Part, ...]

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


class Way(StrEnum):
    """How the nodes of a stage are changed; docs/reliability.md says what each costs clients."""

    BEGIN = "begin"  # no cluster is running yet: all at once
    RELOAD = "reload"  # one node, whose daemons reload their files
    TOGETHER = "together"  # settings that VRRP peers must agree on: all within a second, after a rehearsal
    REELECT = "reelect"  # the identity of VRRP peers: the standby nodes first, which take the VIPs, then the holder
    AWAY = "away"  # one node, while another one holds the VIPs
    LEAVE = "leave"  # one node, which stops being a node; or the rest of what several have, such as packages


@dataclass(frozen=True, slots=True)
class Stage:
    """Nodes that are changed together, each with its changes in this stage; `cost` is what clients will notice."""

    way: Way
    plans: Mapping[str, NodePlan]
    cost: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.plans)

    def to_json(self) -> dict[str, object]:
        """An entry of `stages` in the JSON of plan and up."""
        return {"nodes": list(self.names), "way": str(self.way), "cost": self.cost}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do: to which nodes, and in which stages. Nodes outside its `scope` were only observed."""

    nodes: Mapping[str, NodePlan]
    stages: tuple[Stage, ...]
    scope: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[tuple[str, ...], ...]:
        """The nodes' names, stage by stage."""
        return tuple(stage.names for stage in self.stages)

    @property
    def changes(self) -> tuple[tuple[str, Change], ...]:
        """Every change with the name of its node, in the order of the run."""
        return tuple(
            (name, change) for stage in self.stages for name, plan in stage.plans.items() for change in plan.changes
        )

    def to_json(self) -> list[dict[str, str]]:
        """The `changes` of the JSON contract."""
        return [{"node": name, **change.to_json()} for name, change in self.changes]


def diff(resources: Sequence[Resource[Any]], observation: Observation) -> NodePlan:
    """What has to change on one node."""
    return NodePlan(observation.node, tuple(_parts(resources, observation)))


def _parts(resources: Sequence[Resource[Any]], observation: Observation) -> Iterator[Part]:
    changing: set[str] = set()  # files that earlier parts replace; services that watch them must reload
    for resource in resources:
        state = observation.states[resource.id]
        changes = tuple(resource.compare(state, changing))
        changing |= {change.name for change in changes if change.kind == "file"}
        yield Part(resource, state, changes)
