"""What VRRP makes of priorities and of what a handover adds to them: who is preferred, and after which time. Pure."""

from __future__ import annotations

from lbdeploy.config.model import Node, Vrrp

HANDOVER = "/run/lbdeploy-handover"  # its number is added to the node's priority; a reboot clears it
YIELD = -253  # lowers any priority to the minimum: every other node takes the VIPs
OF_GROUP = HANDOVER + "-"  # before a group's name: the same for its VIPs alone; both numbers are added
FAULT = -254  # the node is out of the election (keepalived.conf(5), vrrp_track_file)


def effective(priority: int, priority_offset: int) -> int:
    """The priority that keepalived uses once `priority_offset` is added: from 1 to 254 (measured)."""
    return min(254, max(1, priority + priority_offset))


def skew(vrrp: Vrrp, node: Node, priority: int) -> float:
    """Skew_Time in seconds of a node with this effective priority (RFC 5798 and RFC 3768, section 6.1).

    Version 2 counts in seconds, version 3 in parts of the advert interval.
    """
    return (256 - priority) / 256 * (vrrp.advert_interval if _version_3(vrrp, node) else 1.0)


def master_down(vrrp: Vrrp, node: Node, priority: int) -> float:
    """Master_Down_Interval in seconds: how long a node hears no advert before it takes over."""
    return 3 * vrrp.advert_interval + skew(vrrp, node, priority)


def _version_3(vrrp: Vrrp, node: Node) -> bool:
    """Only version 3 has IPv6, and intervals of fractions of a second; keepalived uses version 2 otherwise."""
    return node.addresses[vrrp.network].version == 6 or vrrp.advert_interval != int(vrrp.advert_interval)
