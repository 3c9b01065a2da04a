"""The outage that the timers of hosts.toml predict: for each kind of failure, the longest that it can be. Pure.

Sources: `lbdeploy.node.vrrp_priority` for Skew_Time and Master_Down_Interval; RFC 5798, section 6.4.2 for what an
advert of priority 0 does; keepalived.conf(5) for vrrp_script; tcp(7) for the keepalive of servers' connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from lbdeploy.config.model import Cluster, Frontend, Node, Vrrp
from lbdeploy.node.vrrp_priority import master_down, skew
from lbdeploy.operations.drill.faults import Name

RESTART_SECONDS = 1.0  # RestartSec= of keepalived's unit, as templates/keepalived.service.conf.j2 has it
TOLD_SECONDS = 0.1  # until keepalived has read the tracked file, and its peer the advert (measured: 0.03 to 0.06)
GREET_SECONDS = 0.7  # for which check-haproxy waits for servers' answers
# Seconds after a move until every watch has been reset, and is there again: tickle-clients asks each client at 0, 0.55,
# 1.1 and 1.65 s, since packets may be lost; then it connects anew (0.1 s; measured with four labs on two cores: 0.9 s).
SOON = 2.5
SERVER_DEAD = 11.0  # seconds until a silent server's connections end: tcp-ut 10 s, seen by the second keepalive probe


@dataclass(frozen=True, slots=True)
class Prediction:
    """At most so long (s): `outage` that a VIP goes unanswered, `silence` that a watch hears nothing.

    `silence` None: nobody would reset it.
    """

    outage: float
    silence: float | None


def of_node(
    cluster: Cluster,
    name: Name,
    broken: Node,
    *,
    holds: bool,
    informed: bool = True,
    tickled: bool = True,
    priorities: Mapping[str, int] | None = None,
) -> Prediction:
    """When `broken` fails in this way; 0 if it does not hold the VIPs. `tickled`: who takes over resets watches.

    Servers that run on the node itself fail with it, which clients notice even if it holds nothing.
    """
    with_it = _servers_with(cluster, name, broken)
    lost = [of_server(each, "server") for each in with_it]
    outage = max((each.outage for each in lost), default=0.0)
    if not holds:
        return Prediction(outage, max((each.silence or 0.0 for each in lost), default=0.0))
    moved = expected(cluster, name, broken, holds=holds, informed=informed, priorities=priorities)
    # A haproxy that ends closes its connections itself; keepalived that is killed is not missed at once.
    later = RESTART_SECONDS if name == "keepalived" else 0.0
    # Connected anew, a watch may be sent to a server that has gone with the node.
    later += max((each.connect_timeout for each in with_it), default=0.0)
    return Prediction(max(moved, outage), moved + later + SOON if tickled or name == "haproxy" else None)


def _servers_with(cluster: Cluster, name: Name, broken: Node) -> list[Frontend]:
    """The frontends that are probed whose servers fail with the node: they run on it, and it goes as a whole."""
    if name not in ("power", "link", "freeze"):
        return []
    own = broken.addresses.values()
    return [each for each in cluster.probed.values() if any(server.address in own for server in each.servers)]


def of_server(frontend: Frontend, name: Name) -> Prediction:
    """When a server of this frontend fails: connections may be sent to it until it is called down."""
    if name == "drain":
        return Prediction(0.0, 0.0)
    return Prediction(down_noticed(frontend), SERVER_DEAD + frontend.connect_timeout + SOON)


def expected(
    cluster: Cluster,
    name: Name,
    broken: Node,
    *,
    holds: bool,
    informed: bool = True,
    priorities: Mapping[str, int] | None = None,
) -> float:
    """Seconds that a VIP may go unanswered when `broken` fails in this way; 0 if it does not hold the VIPs.

    `informed`: its keepalived is told that haproxy is about to stop, and need not wait for failed checks. `priorities`
    are the effective ones, by node, where known: what is tracked, and a handover, change them from hosts.toml's.
    """
    if not holds:
        return 0.0
    vrrp, effective = cluster.vrrp, {node.name: node.priority for node in cluster.nodes} | dict(priorities or {})
    successor = max(cluster.peers(broken), key=lambda node: effective[node.name])
    wait = skew(vrrp, successor, effective[successor.name])
    silence = master_down(vrrp, successor, effective[successor.name])
    return {
        # The holder leaves with an advert of priority 0, and the successor waits only for its Skew_Time.
        "haproxy": (TOLD_SECONDS if informed else stopped_noticed(vrrp)) + wait,
        "hang": hang_noticed(vrrp) + wait,
        # The VIPs stay and haproxy answers, until the keepalived that systemd restarts removes them.
        "keepalived": max(0.0, silence - RESTART_SECONDS),
        "freeze": silence,
        "path": path_noticed(cluster) + wait,
        "link": silence,
        "power": silence,
    }[name]


def stopped_noticed(vrrp: Vrrp) -> float:
    """Seconds until a stopped haproxy has failed `check_fall` checks: the first comes within an interval."""
    return float(vrrp.check_interval * vrrp.check_fall)


def hang_noticed(vrrp: Vrrp) -> float:
    """Seconds until a hung haproxy has failed as many: each takes its timeout; the next begins at a whole interval."""
    between = vrrp.check_interval * ceil(vrrp.check_timeout / vrrp.check_interval)
    return float(vrrp.check_interval + (vrrp.check_fall - 1) * between + vrrp.check_timeout)


def path_noticed(cluster: Cluster) -> float:
    """Seconds until a holder gives up that reaches no server: haproxy's next check of the last one has not passed.

    keepalived's checks see that three times at the most; the last one waits for answers through this node.
    """
    checked = max(frontend.interval for frontend in cluster.frontends)
    return float(checked + 3 * cluster.vrrp.check_interval + GREET_SECONDS)


def down_noticed(frontend: Frontend) -> float:
    """Seconds until haproxy calls a silent server down: each of its checks takes its timeout."""
    between = (frontend.fall - 1) * frontend.fast_interval
    return frontend.interval + between + frontend.fall * frontend.check_timeout
