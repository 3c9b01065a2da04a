"""What `verify` checks, in the order of its findings; docs/verify.md is generated from it. Pure.

A new check is a function that yields findings about a ClusterState, and a row here. Runs go by it, too: a node is
waited for while its findings are settling, and a change after which one is an error does not stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lbdeploy.health import addresses, drained, nodes, notified, servers, vips
from lbdeploy.health.certificates import judgement
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """`ids` are those of the findings that `judge` yields; `looks_at` completes "whether"."""

    ids: tuple[str, ...]
    looks_at: str
    judge: Callable[[ClusterState], Iterator[Finding]]


CHECKS = (
    HealthCheck(("reach",), "each node can be reached, and logged into", nodes.reached),
    HealthCheck(
        ("packages", "file", "sysctl", "service"),
        "each thing that hosts.toml wants on a node is there, unchanged and in use: drift is an error (packages that "
        "are held back, or were upgraded by others: a warning)",
        nodes.as_desired,
    ),
    HealthCheck(("check",), "each node's haproxy runs, and answers on its socket", nodes.haproxy_answers),
    HealthCheck(
        ("address",),
        "each node has its own addresses on their interfaces, none of them secondary to a VIP (that: a warning; so is "
        "one that is on another interface, unless it is VRRP's)",
        addresses.own,
    ),
    HealthCheck(
        ("vip",),
        "each VIP is on exactly one node, once, on the right interface, and usable there, by `ip a`",
        vips.placed,
    ),
    HealthCheck(
        ("holder",),
        "all VIPs, or those of a group, are on one node, and on the one that VRRP prefers (another one: a warning)",
        vips.holder,
    ),
    HealthCheck(
        ("track",),
        "the operator's own `track_files` and `track_scripts` neither lower a node's priority nor keep it from holding "
        "VIPs (a warning)",
        vips.tracked,
    ),
    HealthCheck(
        ("backend", "backup"),
        "each node's haproxy has a server up for each frontend; and not only its backup servers (a warning)",
        servers.backends,
    ),
    HealthCheck(("server",), "each server is up, as every node's haproxy sees it (a warning)", servers.servers),
    HealthCheck(
        ("drained",),
        "servers are drained by `lbdeploy drain`, and on all nodes alike (a warning for each, with who did it, and "
        "since when)",
        drained.drained,
    ),
    HealthCheck(
        ("frontend",), "something behind each frontend answers through each node's own haproxy", servers.serves
    ),
    HealthCheck(("api",), "something behind each VIP answers each node on its networks", servers.answers),
    HealthCheck(
        ("certificate",),
        "each server's certificate is valid for more than 30 days (an API server's that has ended: an error; otherwise "
        "a warning), has the VIPs and check_host among its names, and no other server's address in the place of its "
        "own; and one authority has signed those of a frontend (warnings; names and authorities of API servers only). "
        "`up` does not ask the servers, and a server that speaks no TLS is no problem",
        judgement.certificates,
    ),
    HealthCheck(
        ("notify",),
        "the operator's `notify_*` scripts have been told of the node's state (one that fails, or was told of "
        "another state: an error on a node that is MASTER, or was told so; a warning elsewhere)",
        notified.notified,
    ),
    HealthCheck(("metrics",), "haproxy's metrics are available, where hosts.toml asks for them", servers.metrics),
)


def findings(state: ClusterState) -> Iterator[Finding]:
    """The findings of every check."""
    for check in CHECKS:
        yield from check.judge(state)
