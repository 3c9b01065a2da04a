"""Verdicts on the sample's pair, of which lb1 holds the VIPs, and ways in which a node is not well."""

from __future__ import annotations

from typing import Any

from builders import observe, plans, server, stopped

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.health.verdict import Verdict, judge
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState

Changes = dict[str, Any]
BARE = {"service lbdeploy": JournalState(), "service haproxy": stopped(), "service keepalived": stopped()}
DOWN = {"service haproxy": stopped()}
DRIFT = {"file /etc/haproxy/haproxy.cfg": FileState("file", "644", "root:root", 1.0, "by hand\n")}
GONE: Changes = {"states": DOWN, "haproxy_answers": False, "servers": (), "own": {"k8s-api": False}}
NO_SERVER: Changes = {
    "servers": tuple(server("k8s-api", f"master{number}", "DOWN", "L4CON") for number in (1, 2, 3)),
    "own": {"k8s-api": False},
}


def verdict(seed: Cluster, lb1: Changes | None, lb2: Changes | None) -> Verdict:
    """A pair whose nodes differ from healthy ones, lb1 being the holder; None: it can't be reached."""
    looks = {"lb1": None if lb1 is None else {"holds": True} | lb1, "lb2": lb2}
    seen = [observe(seed, seed.node(name), **look) for name, look in looks.items() if look is not None]
    errors = {name: ConnectError("no answer", node=name) for name, look in looks.items() if look is None}
    return judge(seed, seen, plans(seed, *seen), errors)
