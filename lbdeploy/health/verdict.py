"""What is right and wrong with a cluster, judged from one observation of each node. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lbdeploy.config.model import Cluster, Vip
from lbdeploy.errors import LbdeployError
from lbdeploy.health import checks
from lbdeploy.health.digest.causes import Cause, because, causes
from lbdeploy.health.digest.overview import Overview, State, overview
from lbdeploy.health.finding import Excuse, Finding
from lbdeploy.health.placement import Placement
from lbdeploy.health.state import ClusterState
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import ServerStat
from lbdeploy.node.resources.drains import Drain
from lbdeploy.ssh.greeting import Greeting


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that was found: `servers` are (node, server as its haproxy sees it).

    `packages` are (node, name, version), and `drains` (node, server that is drained there). `listens`: (frontend, VIP).
    """

    findings: tuple[Finding, ...]
    vips: tuple[Placement, ...]
    servers: tuple[tuple[str, ServerStat], ...]
    overview: Overview = field(default_factory=Overview)
    packages: tuple[tuple[str, str, str], ...] = ()
    drains: tuple[tuple[str, Drain], ...] = ()
    listens: tuple[tuple[str, Vip], ...] = ()

    @property
    def state(self) -> State:
        """How the cluster is, in one word."""
        return self.overview.state(self.findings)

    @property
    def causes(self) -> list[Cause]:
        """What is wrong, each cause once, with what follows from it."""
        return causes(self.findings, self.overview)

    @property
    def errors(self) -> list[Cause]:
        """The causes for which the cluster is not healthy."""
        return [each for each in self.causes if each.is_error]

    @property
    def healthy(self) -> bool:
        return not any(finding.is_error for finding in self.findings)

    @property
    def only_drift(self) -> bool:
        """Whether all that is wrong is that nodes differ from hosts.toml: what clients need is healthy."""
        wrong = [finding for finding in self.findings if finding.is_error]
        return bool(wrong) and all(finding.drift for finding in wrong)

    def settled(self, nodes: Collection[str], but: Collection[Excuse] = ()) -> bool:
        """Whether waiting some seconds would change nothing about these nodes and the cluster as a whole.

        `but`: findings that are not waited for.
        """
        pending = [each for each in self.findings if each.node in (None, *nodes) and each.settling and not each.ok]
        return all(each.is_among(but) for each in pending)

    def with_more(self, findings: Iterable[Finding]) -> Verdict:
        """The same verdict, with more findings."""
        return replace(self, findings=(*self.findings, *findings))

    @property
    def holders(self) -> tuple[str, ...]:
        """The nodes that hold any VIP."""
        return tuple(dict.fromkeys(name for placement in self.vips for name in placement.holders))

    def part(self, group: str) -> tuple[Placement, ...]:
        """Where the VIPs of a group are; of all, where there are no groups."""
        return tuple(each for each in self.vips if each.vip.group == group)

    def holders_of(self, group: str) -> tuple[str, ...]:
        """The nodes that hold any VIP of a group; or any, where there are no groups."""
        return tuple(dict.fromkeys(name for placement in self.part(group) for name in placement.holders))

    def frontends(self) -> Iterator[tuple[str, int, int]]:
        """Each frontend with how many of its servers are up, and how many there are, as the holder sees them.

        That is, a holder of one of its own VIPs: those of groups may be on different nodes.
        """
        asked = dict.fromkeys(node for node, _ in self.servers)
        for name in dict.fromkeys(stat.frontend for _, stat in self.servers):
            best = next(node for node in (*self._holders_for(name), *self.holders, *asked) if node in asked)
            own = [stat for node, stat in self.servers if node == best and stat.frontend == name]
            if own:
                yield name, sum(stat.up for stat in own), len(own)

    def _holders_for(self, frontend: str) -> Iterator[str]:
        """The nodes that hold a VIP on which a frontend listens."""
        own = [vip for name, vip in self.listens if name == frontend]
        for placement in self.vips:
            if placement.vip in own:
                yield from placement.holders

    def to_json(self) -> dict[str, object]:
        """`findings`, `vips` and `servers` of the JSON contract, `packages` and `summary`."""
        drained = {(node, *each.pair): each.to_json() for node, each in self.drains}
        servers = [
            {
                "node": node,
                "frontend": s.frontend,
                "server": s.server,
                "status": s.status,
                "check_status": s.check_status,
                "drained": drained.get((node, s.frontend, s.server)),
            }
            for node, s in self.servers
        ]
        reasons = because(self.findings, self.overview)
        findings = [
            finding.to_json() | ({"because": reasons[at].reference} if at in reasons else {})
            for at, finding in enumerate(self.findings)
        ]
        vips = [each.to_json() for each in self.vips]
        summary = self.overview.to_json(self.findings)
        packages = [{"node": node, "name": name, "version": version} for node, name, version in self.packages]
        return {"findings": findings, "vips": vips, "servers": servers, "packages": packages, "summary": summary}


def judge(
    cluster: Cluster,
    observations: Sequence[Observation],
    plans: Mapping[str, NodePlan],
    errors: Mapping[str, LbdeployError] | None = None,
    greetings: Mapping[str, Sequence[Greeting]] | None = None,
) -> Verdict:
    """The verdict of all checks on the observed nodes; see `ClusterState` for the parameters."""
    state = ClusterState(cluster, observations, plans, errors or {}, greetings or {})
    servers = tuple((each.node.name, server) for each in observations for server in each.servers)
    drains = tuple((each.node.name, drain) for each in observations for drain in each.drains)
    packages = tuple((each.node.name, *of) for each in observations for of in each.packages.items())
    listens = tuple((each.name, vip) for each in cluster.frontends for vip in cluster.vips_of(each))
    return Verdict(tuple(checks.findings(state)), state.vips, servers, overview(state), packages, drains, listens)
