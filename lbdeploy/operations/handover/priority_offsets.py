"""What is added to the nodes' priorities, so that the VIPs go to a node and stay there. Pure.

keepalived adds the number in a file to a priority (vrrp_track_file in keepalived.conf(5)): a node's priority offset.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbdeploy.node.vrrp_priority import effective

HIGHEST = 254  # RFC 5798, 5.2.4: 255 is for the address owner

Offsets = Mapping[str, int]  # by the node's name


def raised(taker: str, priorities: Mapping[str, int], offsets: Offsets) -> dict[str, int]:
    """The offsets with which `taker` is preferred to all others, whose present ones are `offsets`.

    Its own is no higher than needed, and 0 where its priority is the highest anyway. Others are lowered only where
    the taker's priority can't be raised any further.
    """
    others = {name: effective(each, offsets[name]) for name, each in priorities.items() if name != taker}
    highest = min(HIGHEST, max(priorities[taker], *(each + 1 for each in others.values())))
    lowered = {name: highest - 1 - priorities[name] for name, each in others.items() if each >= highest}
    return {**offsets, taker: highest - priorities[taker], **lowered}


def held(taker: str, priorities: Mapping[str, int]) -> dict[str, int]:
    """The offsets that remain after a handover; those left by earlier ones are cleared."""
    return raised(taker, priorities, dict.fromkeys(priorities, 0))
