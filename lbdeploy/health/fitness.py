"""Whether a node could hold the VIPs, and why not. Pure."""

from __future__ import annotations

from lbdeploy.common.debian import DAEMONS
from lbdeploy.node.observation import FAULT_STATE, Observation
from lbdeploy.node.vrrp_priority import FAULT

IN_FAULT = "its keepalived is in FAULT state, by what it tracks"


def able(observation: Observation) -> bool:
    """Whether a node could hold the VIPs: its daemons run, haproxy answers, its interfaces and address are there."""
    return not unable(observation)


def unable(observation: Observation) -> str:
    """Why a node can't hold a VIP; "" where it can."""
    return _hindrance(observation) or (IN_FAULT if observation.keepalived.state == FAULT_STATE else "")


def booting(observation: Observation) -> bool:
    """Whether a node is about to start its daemons, as in the middle of its boot."""
    return any(observation.service(daemon).about_to_run for daemon in DAEMONS)


def starting(observation: Observation, seconds: float) -> bool:
    """Whether a node can't hold a VIP yet, and its daemons have run for no longer than this, as after its boot."""
    daemons = [observation.service(daemon) for daemon in DAEMONS]
    young = any(observation.now - each.since < seconds for each in daemons)
    return young and all(each.running for each in daemons) and not able(observation)


def kept_by_tracking(observation: Observation) -> bool:
    """Whether only what its keepalived tracks, besides haproxy and the interfaces, keeps a node from holding a VIP."""
    return observation.keepalived.state == FAULT_STATE and not _hindrance(observation)


def _hindrance(observation: Observation) -> str:
    """Why a node can't hold a VIP, whatever its keepalived says; "" if nothing is in the way."""
    up = {link.name for link in observation.links if link.up}
    down = [name for name in dict.fromkeys(observation.node.interfaces.values()) if name not in up]
    stopped = [daemon for daemon in DAEMONS if not observation.service(daemon).running]
    if observation.priority_offset <= FAULT:
        return "it was told to leave the VIPs to others"
    if stopped:
        return " and ".join(stopped) + (" is" if len(stopped) == 1 else " are") + " not running there"
    if not observation.haproxy_answers:
        return "its haproxy does not answer"
    if down:
        return f"{' and '.join(down)} is down there"
    return f"its own address {observation.lost_address} is missing there" if observation.lost_address else ""


def lacking(observation: Observation, holder: Observation) -> list[str]:
    """Frontends of which this node reaches no server, and the holder does: the VIPs are not this node's, then."""
    here, there = ({each.frontend for each in seen.servers if each.up} for seen in (observation, holder))
    return sorted(there - here) if observation.haproxy_answers and here <= there else []
