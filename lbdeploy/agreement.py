"""What VRRP peers must agree on. Pure.

A keepalived that gets adverts with another interval, other VIPs or another version drops them (RFC 5798, 7.1), hears
nobody, and takes the VIPs, which its peer holds on to. So such a change can't go node by node: it has to reach all of
them well within the time after which a silent master is given up, which is three intervals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lbdeploy.desired import KEEPALIVED_CONF
from lbdeploy.finding import Finding
from lbdeploy.model import Cluster
from lbdeploy.plan import NodePlan
from lbdeploy.resources import File

_AGREED = re.compile(
    r"^\s*(?:(virtual_router_id|advert_int|vrrp_version|version|auth_type|auth_pass)\s+(\S+)|([0-9a-f.:]+)/\d+\s+dev\s)",
    re.MULTILINE,
)


def agreed(conf: str) -> frozenset[str]:
    """The settings in a keepalived.conf that peers compare: VRRP's parameters, and the addresses of the VIPs."""
    return frozenset(" ".join(filter(None, found.groups())) for found in _AGREED.finditer(conf))


def left_out(cluster: Cluster, plans: Mapping[str, NodePlan]) -> Iterator[Finding]:
    """Where such a change is planned, and not for all nodes: those that are left out would hear nobody any more."""
    others = [node.name for node in cluster.nodes if node.name not in plans]
    if others and any(disagrees(plan) for plan in plans.values()):
        detail = f"this changes what VRRP peers must agree on, and leaves out {' and '.join(others)}"
        fix = "lbdeploy up, without --limit; if they are gone for good: --ignore agreement"
        yield Finding(None, "agreement", False, detail, fix)


def disagrees(plan: NodePlan) -> bool:
    """Whether a node that is changed as planned, and peers that are not yet, would stop understanding each other."""
    for part in plan.parts:
        if part.changes and isinstance(part.resource, File) and part.resource.path == KEEPALIVED_CONF:
            before = agreed(part.state.content)
            return bool(before) and before != agreed(part.resource.content)
    return False
