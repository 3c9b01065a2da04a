"""What is known about a cluster at one moment, for its checks to look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError
from lbdeploy.health.placement import Placement, placement_of
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import Observation
from lbdeploy.ssh.greeting import Greeting


@dataclass(frozen=True)
class ClusterState:
    """One observation of each node (all of the cluster's, or those that a run is limited to).

    `errors` has the nodes that could not be observed: whether they hold a VIP is unknown. `plans` has what would have
    to change on each observed node, by name; `greetings` what servers said through each node, where they were asked.
    """

    cluster: Cluster
    observations: Sequence[Observation]
    plans: Mapping[str, NodePlan] = field(default_factory=dict)
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)
    greetings: Mapping[str, Sequence[Greeting]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> tuple[ClusterState, ...]:
        """The same for each part of the cluster for which VRRP elects a holder."""
        return tuple(
            replace(self, cluster=part, observations=[each.of(part) for each in self.observations])
            for part in self.cluster.parts
        )

    @cached_property
    def vips(self) -> tuple[Placement, ...]:
        """Where each VIP is; where no node was observed, nothing is known about them."""
        vips = self.cluster.vips if self.observations else ()
        return tuple(placement_of(self.cluster, vip, self.observations) for vip in vips)

    @property
    def holder(self) -> Observation | None:
        """The node that holds every VIP alone, if one does."""
        names = {name for placement in self.vips for name in placement.holders}
        if len(names) != 1 or not all(placement.holders for placement in self.vips):
            return None
        return next(each for each in self.observations if each.node.name in names)

    @property
    def partial(self) -> bool:
        """Whether some nodes were not even asked: none of the others needs to hold a VIP, then."""
        return len(self.observations) + len(self.errors) < len(self.cluster.nodes)

    @property
    def qualifier(self) -> str:
        """What to add to "no node" in messages, where there are nodes that could not be observed."""
        return " that could be looked at" if self.errors else ""
