"""The outage that the timers of hosts.toml predict: for each kind of failure, the longest that it can be. Pure.

Sources: RFC 5798 section 6.1 (VRRP version 3) and RFC 3768 section 6.1 (version 2) for Skew_Time and
Master_Down_Interval, 6.4.2 for what an advert of priority 0 does; keepalived.conf(5) for vrrp_script.
"""

from __future__ import annotations

from math import ceil

from lbdeploy.drill.kinds import Name
from lbdeploy.model import Cluster, Node, Vrrp

RESTART_SECONDS = 1.0  # RestartSec= of keepalived's unit, as templates/keepalived.service.conf.j2 has it
TOLD_SECONDS = 0.1  # until keepalived has read what it is told, and its peer has heard of it (measured: 0.03 to 0.06)
TOLERANCE = 0.3  # seconds for what no timer says: the check's own run, address placement, gratuitous ARP, scheduling


def expected(cluster: Cluster, name: Name, broken: Node, *, holds: bool, told: bool = True) -> float:
    """Seconds that a VIP may go unanswered when `broken` fails so; none where it does not hold the VIPs.

    `told`: its keepalived is told of a haproxy that is about to be stopped, and need not find out.
    """
    if not holds:
        return 0.0
    vrrp, heir = cluster.vrrp, cluster.peers(broken)[0]
    silence = master_down(vrrp, heir)
    return {
        # The holder leaves with an advert of priority 0, and the heir waits for its skew alone.
        "haproxy": (TOLD_SECONDS if told else stopped_noticed(vrrp)) + skew(vrrp, heir),
        "hang": hang_noticed(vrrp) + skew(vrrp, heir),
        # The VIPs stay and haproxy answers, until the keepalived that systemd starts again removes them.
        "keepalived": max(0.0, silence - RESTART_SECONDS),
        "link": silence,
        "power": silence,
    }[name]


def skew(vrrp: Vrrp, node: Node) -> float:
    """Skew_Time in seconds: version 2 counts in seconds, version 3 in parts of the advert interval."""
    return (256 - node.priority) / 256 * (vrrp.advert_interval if _version_3(vrrp, node) else 1.0)


def master_down(vrrp: Vrrp, node: Node) -> float:
    """Master_Down_Interval in seconds: how long `node` hears no advert until it takes over."""
    return 3 * vrrp.advert_interval + skew(vrrp, node)


def stopped_noticed(vrrp: Vrrp) -> float:
    """Until a haproxy that is gone has failed `check_fall` checks: the first comes within an interval."""
    return float(vrrp.check_interval * vrrp.check_fall)


def hang_noticed(vrrp: Vrrp) -> float:
    """Until a hung haproxy has failed them: each takes its timeout, and the next begins at a whole interval."""
    between = vrrp.check_interval * ceil(vrrp.check_timeout / vrrp.check_interval)
    return float(vrrp.check_interval + (vrrp.check_fall - 1) * between + vrrp.check_timeout)


def _version_3(vrrp: Vrrp, node: Node) -> bool:
    """Only version 3 has IPv6, and adverts at fractions of a second; keepalived speaks version 2 where it can."""
    return node.addresses[vrrp.network].version == 6 or vrrp.advert_interval != int(vrrp.advert_interval)
