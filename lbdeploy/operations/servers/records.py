"""The records of drained servers on a node, and whether it has to be told anything. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lbdeploy.config.model import Server
from lbdeploy.node.parsers import ServerStat
from lbdeploy.node.resources.drains import Drain, Pair
from lbdeploy.operations.servers.names import Member, State
from lbdeploy.operations.servers.node_scripts import NodeServers


def pairs(wanted: Sequence[Member]) -> list[Pair]:
    """The names of servers, each with its frontend's."""
    return [(frontend.name, server.name) for frontend, server in wanted]


def after(view: NodeServers, wanted: Sequence[Member], state: State, now: Drain) -> tuple[Drain, ...]:
    """The records of a node once it was told. Who drained a server first, and when, stays on record."""
    named = pairs(wanted)
    if state == "ready":
        return tuple(each for each in view.drains if each.pair not in named)
    new = (replace(now, frontend=frontend, server=server) for frontend, server in named)
    return (*view.drains, *(each for each in new if not view.drain(each.pair)))


def pending(view: NodeServers, wanted: Sequence[Member], state: State) -> bool:
    """Whether a node has to be told anything: its record, or what its haproxy does, is not so yet."""
    return any(_differs(view, member, state) for member in wanted)


def _differs(view: NodeServers, member: Member, state: State) -> bool:
    frontend, server = member
    pair = (frontend.name, server.name)
    if (view.drain(pair) is not None) != (state == "drain"):
        return True
    stat = view.stat(pair)
    return stat is not None and (stat.up if state == "drain" else _taken_out(stat, server))


def _taken_out(stat: ServerStat, server: Server) -> bool:
    """Whether somebody took it out of use on haproxy's socket: a server without a record is drained by its weight."""
    return stat.status.startswith("MAINT") or (stat.drained and server.weight != 0)
