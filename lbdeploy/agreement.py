"""What VRRP peers must agree on. Pure.

A keepalived that gets adverts with another interval, other VIPs or another version drops them (RFC 5798, 7.1), hears
nobody, and takes the VIPs, which its peer holds on to. So such a change can't go node by node: it has to reach all of
them well within the time after which a silent master is given up, which is three intervals.
"""

from __future__ import annotations

import re

from lbdeploy.desired import KEEPALIVED_CONF
from lbdeploy.plan import NodePlan
from lbdeploy.resources import File

_AGREED = re.compile(
    r"^\s*(?:(virtual_router_id|advert_int|vrrp_version|version|auth_type|auth_pass)\s+(\S+)|([0-9a-f.:]+)/\d+\s+dev\s)",
    re.MULTILINE,
)


def agreed(conf: str) -> frozenset[str]:
    """The settings in a keepalived.conf that peers compare: VRRP's parameters, and the addresses of the VIPs."""
    return frozenset(" ".join(filter(None, found.groups())) for found in _AGREED.finditer(conf))


def disagrees(plan: NodePlan) -> bool:
    """Whether a node that is changed as planned, and peers that are not yet, would stop understanding each other."""
    for part in plan.parts:
        if part.changes and isinstance(part.resource, File) and part.resource.path == KEEPALIVED_CONF:
            before = agreed(part.state.content)
            return bool(before) and before != agreed(part.resource.content)
    return False
