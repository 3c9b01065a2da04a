"""Whether anything serves behind the VIPs: haproxy's servers, and what answers through haproxy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbdeploy.config.model import Cluster, Frontend, Server
from lbdeploy.health.finding import Finding
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import ServerStat


def backends(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    """Whether a node's haproxy has a server to send clients to."""
    if not observation.haproxy_answers:
        return
    for frontend in cluster.frontends:
        used = [server for server in frontend.servers if server.weight != 0]
        seen = {server: _stat(observation, frontend, server) for server in used}
        up = [server for server, stat in seen.items() if stat and stat.up]
        waiting = any(stat and stat.settling for stat in seen.values())
        detail = f"{frontend.name} has {len(up)} of {len(seen)} servers up"
        fix = f"check that the servers listen, and let {observation.node.name} connect to them"
        yield Finding(observation.node.name, "backend", bool(up), detail, None if up else fix, settling=waiting)
        if up and all(server.backup for server in up):
            detail = f"{frontend.name} is served by its backup servers only: none of the others is up"
            yield Finding(observation.node.name, "backup", False, detail, fix, warning=True, settling=waiting)


def servers(cluster: Cluster, observations: Sequence[Observation]) -> Iterator[Finding]:
    """Each server that any node's haproxy does not see up: a warning, as long as its frontend has another."""
    asked = [each for each in observations if each.haproxy_answers]
    for frontend, server in cluster.servers():
        stats = [(each.node.name, _stat(each, frontend, server)) for each in asked]
        bad = [(name, stat) for name, stat in stats if not _fine(server, stat)]
        name = f"{frontend.name}/{server.name}"
        if stats and not bad:
            drained = " and gets no new connections, by its weight of 0" if server.weight == 0 else ""
            yield Finding(None, "server", True, f"{name} is up{drained}")
        elif bad:
            told: dict[str, list[str]] = {}
            for node, stat in bad:
                told.setdefault(_describe(stat), []).append(node)
            detail = f"{name} ({server.address}:{server.port}): " + "; ".join(
                f"{what}, seen from {' and '.join(nodes)}" for what, nodes in told.items()
            )
            settling = any(stat and stat.settling for _, stat in bad)
            yield Finding(
                None, "server", False, detail, f"see whether {server.name} runs", warning=True, settling=settling
            )


def lost_servers(
    cluster: Cluster, before: Observation, after: Observation, others: Sequence[Observation]
) -> Iterator[Finding]:
    """Servers that a node saw up before it was changed and does not see up now, though no other node lost them."""
    for frontend, server in cluster.servers():
        was, now = _stat(before, frontend, server), _stat(after, frontend, server)
        gone = was and was.up and not _fine(server, now)
        elsewhere = [_stat(each, frontend, server) for each in others if each.haproxy_answers]
        if gone and not any(stat and not stat.up for stat in elsewhere):
            detail = f"{frontend.name}/{server.name} was up before the change, and no longer is: {_describe(now)}"
            yield Finding(after.node.name, "server", False, detail, f"see whether {server.name} runs")


def answers(observation: Observation) -> Iterator[Finding]:
    """Whether something behind each VIP answers this node. A VIP of another network may be unreachable: no finding."""
    near = [address.network for link in observation.links for address in link.addresses]
    soon = any(server.up or server.settling for server in observation.servers)
    for each in observation.answered:
        what = f"{each.ip} port {each.port}"
        if each.ok:
            yield Finding(observation.node.name, "api", True, f"{what} answers")
        elif any(each.ip in network for network in near):
            fix = "see the findings above; if there are none, does a firewall block the port between the nodes?"
            yield Finding(observation.node.name, "api", False, f"{what} does not answer from here", fix, settling=soon)


def serves(observation: Observation) -> Iterator[Finding]:
    """Whether this node's haproxy would serve clients as holder. No finding where a template has no socket."""
    soon = any(server.settling for server in observation.servers)
    for name, answered in observation.own.items():
        detail = f"{name} answers on this node's own haproxy" if answered else silence(name)
        fix = None if answered else "see the findings above; if there are none: journalctl -u haproxy -n 20 there"
        yield Finding(observation.node.name, "frontend", answered, detail, fix, settling=soon)


def silence(frontend: str) -> str:
    """The detail of a finding about a frontend from which the node itself gets no answer."""
    return f"{frontend} does not answer on this node's own haproxy"


def metrics(observation: Observation) -> Iterator[Finding]:
    """Whether the node's haproxy serves its metrics, where hosts.toml asks for them."""
    if observation.metrics is not None:
        place, ok = observation.metrics
        detail = f"haproxy's metrics {'are' if ok else 'are not'} available at {place}"
        fix = None if ok else "lbdeploy plan shows whether its haproxy.cfg is as it should be; or there: ss -Hltnp"
        yield Finding(observation.node.name, "metrics", ok, detail, fix)


def _fine(server: Server, stat: ServerStat | None) -> bool:
    """Whether a server is as hosts.toml wants it: up, or drained where its weight is 0."""
    return stat is not None and (stat.up or (server.weight == 0 and stat.drained))


def _stat(observation: Observation, frontend: Frontend, server: Server) -> ServerStat | None:
    return next((s for s in observation.servers if (s.frontend, s.server) == (frontend.name, server.name)), None)


def _describe(stat: ServerStat | None) -> str:
    if stat is None:
        return "unknown to haproxy"
    if stat.initial:
        return "not checked yet"
    return " ".join(filter(None, (stat.status, stat.check_status, stat.check_detail and f"({stat.check_detail})")))
