"""What a drain must not begin with: a frontend that would have no server left, nodes that would not go by it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Frontend
from lbdeploy.errors import LbdeployError, RemoteError, together
from lbdeploy.node.paths import SERVER_STATE
from lbdeploy.node.resources.drains import Pair
from lbdeploy.operations.servers.names import Member, State
from lbdeploy.operations.servers.node_scripts import NodeServers

UNCHANGED = "nothing was changed"


def refuse(
    cluster: Cluster, views: Sequence[NodeServers], wanted: Sequence[Member], state: State, *, force_last: bool
) -> None:
    """Raise where the nodes can't do it, or where a drain would leave a frontend without a server."""
    found: list[LbdeployError] = [error for view in views for error in _unable(view, wanted)]
    if state == "drain" and not force_last:
        found += [error for frontend, _ in wanted for error in _last(frontend, views, wanted)]
    if found:
        raise together(found)


def is_refusal(error: LbdeployError) -> bool:
    """Whether it is an error of `refuse`."""
    return isinstance(error, RemoteError) and error.state == UNCHANGED


def undecided(views: Sequence[NodeServers], wanted: Sequence[Member]) -> bool:
    """Whether nobody can tell yet if another server is up: for an instant after a reload, haproxy has checked none."""
    leaving = {(frontend.name, server.name) for frontend, server in wanted}
    return any(_undecided(frontend, view, leaving) for view in views for frontend, _ in wanted)


def _undecided(frontend: Frontend, view: NodeServers, leaving: set[Pair]) -> bool:
    pairs = {(frontend.name, server.name) for server in frontend.servers if server.weight != 0}
    stats = {pair: stat for pair in pairs if (stat := view.stat(pair)) and not view.drain(pair)}
    others = [stat for pair, stat in stats.items() if pair not in leaving]
    missed = any(stats[pair].up or stats[pair].settling for pair in leaving & stats.keys())
    return missed and not any(stat.up for stat in others) and any(stat.settling for stat in others)


def _unable(view: NodeServers, wanted: Sequence[Member]) -> Iterator[RemoteError]:
    """A node whose haproxy does not read the record, or does not know the server."""
    name = view.node.name
    if not view.loads:
        message = f"its haproxy.cfg does not have haproxy read {SERVER_STATE}: a reload would end the drain"
        fix = typed(
            "up", after="; a haproxy.cfg.j2 of your own needs server-state-file and load-server-state-from-file"
        )
        yield RemoteError(message, node=name, state=UNCHANGED, fix=fix)
        return
    for frontend, server in wanted if view.answers else ():
        if not view.stat((frontend.name, server.name)):
            message = f"its haproxy has no server {frontend.name}/{server.name}"
            yield RemoteError(
                message, node=name, state=UNCHANGED, fix=typed("up", after=" puts hosts.toml's servers there")
            )


def _last(frontend: Frontend, views: Sequence[NodeServers], wanted: Sequence[Member]) -> Iterator[RemoteError]:
    """Each node on which the frontend would be left without a server that is up, or without any that may come up.

    Whether one is up says nothing about later: a server that is down, or of a haproxy that does not run, comes back.
    """
    leaving = {server.name for each, server in wanted if each is frontend}
    for view in views:
        up = set(_usable(frontend, view))
        named = [server.name for server in frontend.servers if server.weight != 0]
        used = {name for name in named if not view.drain((frontend.name, name))}
        if up and up <= leaving:
            yield _refusal(frontend, view, up, "up")
        elif used and used <= leaving:
            yield _refusal(frontend, view, used, "not drained")


def _refusal(frontend: Frontend, view: NodeServers, last: Collection[str], how: str) -> RemoteError:
    """`how`: what sets the last ones apart from the others."""
    why = _others(frontend, view, last)
    message = f"{' and '.join(sorted(last))} is the last server of {frontend.name} that is {how}{why}"
    fix = typed("verify", after=" says what the others lack; to drain it anyway: --force-last")
    return RemoteError(message, node=view.node.name, state=UNCHANGED, fix=fix)


def _usable(frontend: Frontend, view: NodeServers) -> Iterator[str]:
    """The servers that get connections of the frontend on a node."""
    for server in frontend.servers:
        stat = view.stat((frontend.name, server.name))
        if server.weight != 0 and stat and stat.up:
            yield server.name


def _others(frontend: Frontend, view: NodeServers, leaving: Collection[str]) -> str:
    """How the other servers are, in a few words."""
    others = [server.name for server in frontend.servers if server.name not in leaving]
    words = [f"{name} is {_described(view, (frontend.name, name))}" for name in others]
    return f": {', '.join(words)}" if words else ""


def _described(view: NodeServers, pair: Pair) -> str:
    stat = view.stat(pair)
    return "drained" if view.drain(pair) else stat.status if stat else "unknown"
