"""How a cluster is as a whole: what one line can say of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Self

from lbdeploy.common.typed import typed
from lbdeploy.errors import LbdeployError
from lbdeploy.health.finding import Finding
from lbdeploy.health.fitness import able
from lbdeploy.health.placement import is_live
from lbdeploy.health.state import ClusterState
from lbdeploy.node.observation import Observation

# degraded: something is wrong, and clients are served all the same; down: they are not; drifted: nodes differ from
# hosts.toml, and that is all; unknown: the nodes that could be looked at don't tell whether clients are served.
State = Literal["healthy", "drifted", "degraded", "down", "not deployed", "unknown"]


@dataclass(frozen=True, slots=True)
class Overview:
    """What was counted. `nodes` and `servers` are pairs: how many do their work, of how many.

    `served`: whether clients get answers, as far as that can be told (None: it can't). `bare`: nodes that have nothing
    of lbdeploy's. `since_s`: seconds for which the one holder has been MASTER, where that was asked.
    """

    cluster: str = ""
    nodes: tuple[int, int] = (0, 0)
    servers: tuple[int, int] = (0, 0)
    holders: tuple[str, ...] = ()
    served: bool | None = None
    bare: tuple[str, ...] = ()
    since_s: int | None = None

    @property
    def deployed(self) -> bool:
        """Whether any node may have something of lbdeploy's."""
        return not self.bare or len(self.bare) < self.nodes[1]

    def state(self, findings: Iterable[Finding]) -> State:
        """The state in one word, which also depends on what was found to be wrong."""
        wrong = [each for each in findings if each.is_error]
        if not self.deployed:
            return "not deployed"
        if all(each.drift for each in wrong):
            return "drifted" if wrong else "healthy"
        return {True: "degraded", False: "down", None: "unknown"}[self.served]  # type: ignore[return-value]

    def since(self, seconds: int | None) -> Self:
        """The same, with the time for which the holder has been MASTER."""
        return replace(self, since_s=seconds)

    def undeployed(self, state: str) -> LbdeployError | None:
        """The error for a command that needs a cluster, where there is none yet; `state`: what it has left alone."""
        if self.deployed:
            return None
        return not_deployed(self.cluster, self.bare, state)

    def to_json(self, findings: Iterable[Finding]) -> dict[str, object]:
        """The `summary` of a document."""
        return {
            "state": self.state(findings),
            "nodes": {"good": self.nodes[0], "all": self.nodes[1]},
            "servers": {"up": self.servers[0], "all": self.servers[1]},
            "holders": list(self.holders),
            "not_deployed": list(self.bare),
            **({} if self.since_s is None else {"holder_for_s": self.since_s}),
        }


def not_deployed(cluster: str, names: Iterable[str], state: str) -> LbdeployError:
    """The error that there is no cluster yet."""
    return LbdeployError(f"{cluster} is not deployed on {', '.join(names)}", state=state, fix=typed("plan"))


def overview(state: ClusterState) -> Overview:
    """What there is to say of the cluster as it was observed."""
    seen = state.observations
    return Overview(
        cluster=state.cluster.name,
        nodes=(sum(map(able, seen)), len(seen) + len(state.errors)),
        servers=_servers(state),
        holders=tuple(dict.fromkeys(name for placement in state.vips for name in placement.holders)),
        served=_served(state),
        bare=tuple(each.node.name for each in seen if _bare(state, each)),
    )


def _bare(state: ClusterState, seen: Observation) -> bool:
    """Whether a node has nothing of lbdeploy's: no run has ever been there, nor does it take part in VRRP."""
    run = seen.states.get("service lbdeploy")
    return run is not None and not run.run and not is_live(state.cluster, [seen])


def _servers(state: ClusterState) -> tuple[int, int]:
    """How many servers are up, as a holder sees them, or else as any node does; and how many hosts.toml has."""
    names = {(frontend.name, server.name) for frontend, server in state.cluster.servers()}
    best = next((each for each in _holders_first(state) if each.haproxy_answers), None)
    up = {(each.frontend, each.server) for each in best.servers if each.up} if best else set()
    return len(up & names), len(names)


def _holders_first(state: ClusterState) -> list[Observation]:
    return sorted(state.observations, key=lambda each: not each.holds_any(state.cluster))


def _served(state: ClusterState) -> bool | None:
    """Whether each VIP is on one node, whose haproxy answers, and has a server for each frontend."""
    if any(not placement.holders and placement.unknown for placement in state.vips) or not state.observations:
        return None
    if any(len(placement.holders) != 1 for placement in state.vips):
        return False
    return all(_serves(state, each) for each in state.observations if each.holds_any(state.cluster))


def _serves(state: ClusterState, seen: Observation) -> bool:
    up = {each.frontend for each in seen.servers if each.up}
    silent = any(not answered for answered in seen.own.values())
    return seen.haproxy_answers and not silent and all(each.name in up for each in state.cluster.frontends)
