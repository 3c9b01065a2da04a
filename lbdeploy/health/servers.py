"""Whether anything serves behind the VIPs: haproxy's servers, and what answers through haproxy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Frontend, Server
from lbdeploy.health.finding import Finding
from lbdeploy.health.reasons import reason
from lbdeploy.health.state import ClusterState
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import ServerStat


def backends(state: ClusterState) -> Iterator[Finding]:
    """Whether each node's haproxy has a server to send clients to."""
    for each in state.observations:
        for frontend in state.cluster.frontends if each.haproxy_answers else ():
            yield from _backend(each, frontend)


def _backend(seen: Observation, frontend: Frontend) -> Iterator[Finding]:
    servers = [each for each in frontend.servers if each.weight != 0 and not seen.drain(frontend.name, each.name)]
    used = {server: _stat(seen, frontend, server) for server in servers}
    up = [server for server, stat in used.items() if stat and stat.up]
    node, subject, waiting = seen.node.name, frontend.name, any(stat and stat.settling for stat in used.values())
    detail = f"{frontend.name} has {len(up)} of {len(used)} servers up"
    fix = f"check that the servers listen, and let {node} connect to them"
    if len(used) < len(frontend.servers) and (drained := _drained(seen, frontend)):
        detail += f"; drained: {', '.join(drained)}"
    if not up:
        yield Finding.failed(node, "backend", detail, fix, subject=subject, settling=waiting)
        return
    yield Finding.passed(node, "backend", detail, subject=subject, settling=waiting)
    if all(server.backup for server in up):
        detail = f"{frontend.name} is served by its backup servers only: none of the others is up"
        yield Finding.warning(node, "backup", detail, fix, subject=subject, settling=waiting)


def _drained(seen: Observation, frontend: Frontend) -> list[str]:
    return [each.name for each in frontend.servers if seen.drain(frontend.name, each.name)]


def servers(state: ClusterState) -> Iterator[Finding]:
    """Each server that any node's haproxy does not see up: a warning, as long as its frontend has another."""
    asked = [each for each in state.observations if each.haproxy_answers]
    for frontend, server in state.cluster.servers() if asked else ():
        stats = [(each.node.name, _stat(each, frontend, server)) for each in asked]
        drained = {each.node.name for each in asked if each.drain(frontend.name, server.name)}
        bad = [(name, stat) for name, stat in stats if name not in drained and not _fine(server, stat)]
        name = f"{frontend.name}/{server.name}"
        if bad:
            settling = any(stat and stat.settling for _, stat in bad)
            well = [each for each, stat in stats if stat and stat.up]
            why = reason(frontend, server, bad, well)
            detail = f"{name} ({server.address}:{server.port}): {_seen_as(bad)}" + (
                f": {why.words}" if why.words else ""
            )
            fix = why.fix
            yield Finding.warning(None, "server", detail, fix, subject=name, settling=settling)
        elif not drained:
            without = " and gets no new connections, by its weight of 0" if server.weight == 0 else ""
            yield Finding.passed(None, "server", f"{name} is up{without}", subject=name)


def _seen_as(bad: Sequence[tuple[str, ServerStat | None]]) -> str:
    """In what state which nodes see a server."""
    by_state: dict[str, list[str]] = {}
    for node, stat in bad:
        by_state.setdefault(_describe(stat), []).append(node)
    return "; ".join(f"{what}, seen from {' and '.join(nodes)}" for what, nodes in by_state.items())


def lost_servers(
    cluster: Cluster, before: Observation, after: Observation, others: Sequence[Observation]
) -> Iterator[Finding]:
    """Servers that a node saw up before it was changed and does not see up now, though no other node lost them."""
    for frontend, server in cluster.servers():
        was, now = _stat(before, frontend, server), _stat(after, frontend, server)
        gone = was and was.up and not _fine(server, now) and not after.drain(frontend.name, server.name)
        elsewhere = [_stat(each, frontend, server) for each in others if each.haproxy_answers]
        if gone and not any(stat and not stat.up for stat in elsewhere):
            name = f"{frontend.name}/{server.name}"
            detail = f"{name} was up before the change, and no longer is: {_describe(now)}"
            yield Finding.failed(after.node.name, "server", detail, _runs(server), subject=name)


def _runs(server: Server) -> str:
    return f"see whether {server.name} runs"


def answers(state: ClusterState) -> Iterator[Finding]:
    """Whether something behind each VIP answers each node."""
    for each in state.observations:
        yield from _answers(each)


def _answers(seen: Observation) -> Iterator[Finding]:
    """The answers that one node got. A VIP of another network may be unreachable for it: no finding."""
    near = [address.network for link in seen.links for address in link.addresses]
    soon = any(server.up or server.settling for server in seen.servers)
    for each in seen.answered:
        what = f"{each.ip} port {each.port}"
        if each.ok:
            yield Finding.passed(seen.node.name, "api", f"{what} answers", subject=what)
        elif any(each.ip in network for network in near):
            fix = "see the findings above; if there are none: lbdeploy doctor reads the nodes' firewalls"
            detail = f"{what} does not answer from here"
            yield Finding.failed(seen.node.name, "api", detail, fix, subject=what, settling=soon)


def serves(state: ClusterState) -> Iterator[Finding]:
    """Whether each node's haproxy would serve clients as holder. No finding where a template has no socket."""
    fix = "see the findings above; if there are none: journalctl -u haproxy -n 20 there"
    for each in state.observations:
        soon = any(server.settling for server in each.servers)
        for name, answered in each.own.items():
            where = "on this node's own haproxy"
            if answered:
                yield Finding.passed(each.node.name, "frontend", f"{name} answers {where}", subject=name)
            else:
                detail = f"{name} does not answer {where}"
                yield Finding.failed(each.node.name, "frontend", detail, fix, subject=name, settling=soon)


def metrics(state: ClusterState) -> Iterator[Finding]:
    """Whether each node's haproxy serves its metrics, where hosts.toml asks for them."""
    for each in state.observations:
        place, ok = each.metrics or ("", False)
        if ok:
            yield Finding.passed(each.node.name, "metrics", f"haproxy's metrics are available at {place}")
        elif each.metrics:
            fix = typed("plan", after=" shows whether its haproxy.cfg is as it should be; or there: ss -Hltnp")
            yield Finding.failed(each.node.name, "metrics", f"haproxy's metrics are not available at {place}", fix)


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
