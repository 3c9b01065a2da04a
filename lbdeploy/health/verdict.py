"""What is right and wrong with a cluster, judged from one observation of each node. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError
from lbdeploy.health.addresses import own_addresses
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import Placement, placement_of
from lbdeploy.health.servers import answers, backends, metrics, servers, serves
from lbdeploy.health.vips import asked, holder, placed, tracked
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import ServerStat

HARMLESS = ("unhold", "record")  # package drift that does not affect clients


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that was found: `servers` are (node, server as its haproxy sees it)."""

    findings: tuple[Finding, ...]
    vips: tuple[Placement, ...]
    servers: tuple[tuple[str, ServerStat], ...]

    @property
    def healthy(self) -> bool:
        return not any(finding.failed for finding in self.findings)

    def settled(self, nodes: Collection[str], but: Collection[tuple[str | None, str]] = ()) -> bool:
        """Whether waiting some seconds would change nothing about these nodes and the cluster as a whole.

        `but`: findings that are not waited for: (node, check) or (node, exact detail).
        """
        mine = [each for each in self.findings if each.node in (None, *nodes) and each.settling and not each.ok]
        return all((each.node, each.check) in but or (each.node, each.detail) in but for each in mine)

    def with_more(self, findings: Iterable[Finding]) -> Verdict:
        """The same verdict, with more findings."""
        return replace(self, findings=(*self.findings, *findings))

    @property
    def holders(self) -> tuple[str, ...]:
        """The nodes that hold any VIP."""
        return tuple(dict.fromkeys(name for placement in self.vips for name in placement.holders))

    def frontends(self) -> Iterator[tuple[str, int, int]]:
        """Each frontend with how many of its servers are up, and how many there are, as the holder sees them."""
        asked = [node for node, _ in self.servers]
        best = next((node for node in (*self.holders, *asked) if node in asked), None)
        stats = [stat for node, stat in self.servers if node == best]
        for name in dict.fromkeys(stat.frontend for stat in stats):
            mine = [stat for stat in stats if stat.frontend == name]
            yield name, sum(stat.up for stat in mine), len(mine)

    def to_json(self) -> dict[str, object]:
        """`findings`, `vips` and `servers` of the JSON contract."""
        servers = [
            {
                "node": node,
                "frontend": s.frontend,
                "server": s.server,
                "status": s.status,
                "check_status": s.check_status,
            }
            for node, s in self.servers
        ]
        findings = [finding.to_json() for finding in self.findings]
        return {"findings": findings, "vips": [each.to_json() for each in self.vips], "servers": servers}


def judge(
    cluster: Cluster,
    observations: Sequence[Observation],
    plans: Mapping[str, NodePlan],
    errors: Mapping[str, LbdeployError] | None = None,
) -> Verdict:
    """The verdict on the observed nodes (all of the cluster's, or those that a run is limited to).

    `errors` has the nodes that could not be observed: whether they hold a VIP is unknown.
    """
    vips = tuple(placement_of(cluster, vip, observations) for vip in cluster.vips) if observations else ()
    seen = asked(cluster, observations, errors or {})
    findings = (
        *(Finding(name, "reach", False, error.message, error.fix) for name, error in (errors or {}).items()),
        *(finding for each in observations for finding in _as_desired(each, plans[each.node.name])),
        *(finding for each in observations for finding in _checked(each)),
        *(finding for each in observations for finding in own_addresses(cluster, each)),
        *(finding for placement in vips for finding in placed(placement, observations, seen)),
        *holder(cluster, vips, observations),
        *tracked(cluster, observations),
        *(finding for each in observations for finding in backends(cluster, each)),
        *servers(cluster, observations),
        *(finding for each in observations for finding in serves(each)),
        *(finding for each in observations for finding in answers(each)),
        *(finding for each in observations for finding in metrics(each)),
    )
    seen_servers = tuple((each.node.name, server) for each in observations for server in each.servers)
    return Verdict(findings, vips, seen_servers)


def _as_desired(observation: Observation, plan: NodePlan) -> Iterator[Finding]:
    """Whether each resource is as hosts.toml wants it; if not, it is drift, or was never applied."""
    for part in plan.parts:
        kind, _, name = part.resource.id.partition(" ")
        for change in part.changes:
            daemon = kind == "service" and change.action != "repair"
            fix = f"lbdeploy up; to see why: journalctl -u {change.name}" if daemon else "lbdeploy up"
            harmless = change.action in HARMLESS
            yield Finding(plan.node.name, kind, False, f"{change.name} {change.reason}", fix, warning=harmless)
        if not part.changes:
            yield Finding(plan.node.name, kind, True, f"{name}: as it should be")


def _checked(observation: Observation) -> Iterator[Finding]:
    name = observation.node.name
    if observation.haproxy_answers:
        yield Finding(name, "check", True, "haproxy answers on its socket")
    elif observation.service("haproxy").running:
        yield Finding(
            name,
            "check",
            False,
            "haproxy runs, but does not answer: it hangs",
            "systemctl restart haproxy there",
            settling=True,
        )
    else:
        yield Finding(name, "check", False, "haproxy does not answer: it does not run", "lbdeploy up", settling=True)
