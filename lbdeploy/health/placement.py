"""Which nodes have the VIPs, and whether a cluster is in use at all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbdeploy.config.model import Cluster, Vip
from lbdeploy.node.observation import Observation


@dataclass(frozen=True, slots=True)
class Placement:
    """A VIP and the nodes on which `ip a` shows it; `interface` is where it is meant to be.

    `unknown` are the nodes that were not observed, and may hold it, too.
    """

    vip: Vip
    interface: str
    holders: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    def told(self, none: str = "nobody") -> str:
        """The nodes that hold the VIP, as text; `none` where it is known that no node does."""
        return " and ".join(self.holders) or ("none of those looked at" if self.unknown else none)

    def to_json(self) -> dict[str, object]:
        """An entry of `vips` in the JSON contract."""
        return {
            "address": str(self.vip.ip),
            "network": self.vip.network,
            **({"group": self.vip.group} if self.vip.group else {}),
            "interface": self.interface,
            "holders": list(self.holders),
            "unknown": list(self.unknown),
        }


def placement_of(cluster: Cluster, vip: Vip, observations: Sequence[Observation]) -> Placement:
    """The placement of the VIP on the nodes that were observed (at least one)."""
    holding = [each for each in observations if each.holds(vip.ip)]
    interface = (holding or observations)[0].node.interfaces[vip.network]
    seen = {each.node.name for each in observations}
    unknown = tuple(node.name for node in cluster.nodes if node.name not in seen)
    return Placement(vip, interface, tuple(each.node.name for each in holding), unknown)


def holders(cluster: Cluster, observations: Sequence[Observation]) -> tuple[str, ...]:
    """The nodes on which `ip a` shows any VIP."""
    return tuple(each.node.name for each in observations if each.holds_any(cluster))


def is_live(cluster: Cluster, observations: Sequence[Observation]) -> bool:
    """Whether clients may be using the cluster: a node has a VIP, or runs a keepalived, which may take one."""
    return bool(holders(cluster, observations)) or any(each.service("keepalived").running for each in observations)
