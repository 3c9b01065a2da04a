"""The difference between the actual and the desired state of nodes. Pure: plan, drift and idempotence are one diff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lbdeploy.node.drift import NodePlan
from lbdeploy.node.resources.base import Change


class Strategy(StrEnum):
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

    way: Strategy
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
