"""lbdeploy.health.vips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized

from lbdeploy.config.model import Cluster, Node
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import DAEMONS, IN_FAULT, Placement, able, unable
from lbdeploy.node.keepalived_conf import HANDOVER, YIELD, effective, master_down
from lbdeploy.node.observation import Observation


def asked(cluster: Cluster, observations: Sized, errors: Sized) -> str | None:
    """What to add to "node" in messages: "", or a qualifier where there are `errors`; None: only some were asked."""
    if len(observations) + len(errors) < len(cluster.nodes):
        return None
    return " that could be looked at" if errors else ""


def placed(placement: Placement, observations: Sequence[Observation], seen: str | None) -> Iterator[Finding]:
    """Whether exactly one node holds the VIP, once, and on the right interface.

    `seen` is the result of `asked`: None means that none of the observed nodes needs to hold the VIP.
    """
    vip, names = placement.vip, placement.holders
    if not names and seen is not None:
        fix = "see on each node: journalctl -u keepalived -n 20"
        yield Finding(None, "vip", False, f"{vip.ip} is on no node{seen}", fix, settling=not seen)
    if len(names) > 1:
        fix = "the nodes do not hear each other's adverts: does a firewall block VRRP (IP protocol 112) between them?"
        yield Finding(None, "vip", False, f"{vip.ip} is on {' and '.join(names)} at once", fix, settling=True)
    for each in observations:
        want, have = each.node.interfaces[vip.network], each.holds(vip.ip)
        if have and have != [want]:
            detail = f"{vip.ip} is on {', '.join(have)}, should be on {want}"
            yield Finding(each.node.name, "vip", False, detail, "lbdeploy up")
        elif have and (doubt := each.doubt(vip.ip)):
            yield _doubtful(each.node, f"{vip.ip} is on {want}", doubt)
        elif len(names) == 1 and have:
            nowhere = f", and on no other node{seen}" if seen is not None else ""
            yield Finding(each.node.name, "vip", True, f"{vip.ip} is on {want}{nowhere}")


def _doubtful(node: Node, what: str, doubt: str) -> Finding:
    """A VIP that does not answer: duplicate address detection is still running, or has found another host."""
    if doubt == "tentative":
        detail = f"{what}, and can't be used yet: the kernel asks whether another host has it (tentative)"
        fix = "wait, then: lbdeploy verify; keepalived itself places VIPs without asking"
        return Finding(node.name, "vip", False, detail, fix, settling=True)
    detail = f"{what}, and can't be used: another host has it ({doubt})"
    return Finding(node.name, "vip", False, detail, "find that host; then, to place the VIP anew: lbdeploy handover")


def holder(cluster: Cluster, vips: Sequence[Placement], observations: Sequence[Observation]) -> Iterator[Finding]:
    """Whether the VIPs are all on one node, and on the one that VRRP prefers; if not, why not."""
    names = list(dict.fromkeys(name for placement in vips for name in placement.holders))
    if len(names) != 1 or not all(placement.holders for placement in vips):
        if names:
            where = ", ".join(f"{p.vip.ip} on {p.told('no node')}" for p in vips)
            detail = f"the VIPs are not all on one node: {where}"
            yield Finding(
                None, "holder", False, detail, "see on each node: journalctl -u keepalived -n 20", settling=True
            )
        return
    holding = next(each for each in observations if each.node.name == names[0])
    better = [each for each in observations if each.priority > holding.priority]
    fit = [each for each in better if able(each)]
    if fit:
        yield _waiting(cluster, holding, fit[0])
    elif holding.priority_offset > 0:
        yield Finding(None, "holder", True, f"{names[0]} holds the VIPs after a handover{_as_long_as(cluster)}")
    else:
        why = "".join(f"; {each.node.name} cannot take over: {unable(each)}" for each in better)
        why += "".join(f"; {each.node.name} {_moved(each)}" for each in _outdone(holding, observations))
        yield Finding(None, "holder", True, f"{names[0]} holds the VIPs" + (why or ", as its priority says"))
    yield from _gives_up(observations)


def tracked(cluster: Cluster, observations: Sequence[Observation]) -> Iterator[Finding]:
    """Nodes whose priority is lowered by the operator's own files and scripts, or that these keep from holding VIPs."""
    usual = sum(max(0, each.weight) for each in cluster.vrrp.track_scripts)
    fix = "see what vrrp.track_files and vrrp.track_scripts look at there: journalctl -u keepalived -n 20"
    for each in observations if cluster.vrrp.tracks else ():
        if unable(each) == IN_FAULT:
            detail = "what it tracks keeps it from holding the VIPs: keepalived is in FAULT state"
            yield Finding(each.node.name, "track", False, detail, fix, warning=True, settling=True)
        elif each.said.state in ("MASTER", "BACKUP") and each.said.priority is not None and each.tracked < usual:
            yield Finding(each.node.name, "track", False, f"it {_moved(each)}", fix, warning=True)


def _outdone(holding: Observation, observations: Sequence[Observation]) -> list[Observation]:
    """Nodes that would hold the VIPs if neither they nor the holder tracked anything."""
    mine = effective(holding.node.priority, holding.priority_offset)
    others = [each for each in observations if each.tracked != holding.tracked and able(each)]
    return [each for each in others if effective(each.node.priority, each.priority_offset) > mine]


def _moved(seen: Observation) -> str:
    return f"has priority {seen.priority}, with what it tracks: {seen.tracked:+d}"


def _as_long_as(cluster: Cluster) -> str:
    return f": until lbdeploy handover --back, or its next start; then {cluster.preferred.name} takes them again"


def _gives_up(observations: Sequence[Observation]) -> Iterator[Finding]:
    """Nodes that were told to leave the VIPs to others, by a run that is gone and can't take that back."""
    for each in observations:
        run = each.states.get("service lbdeploy")
        if each.priority_offset <= YIELD and run is not None and not run.active:
            detail = f"it leaves the VIPs to others: {HANDOVER} says {each.priority_offset}"
            yield Finding(each.node.name, "holder", False, detail, "lbdeploy handover --back", warning=True)


def _waiting(cluster: Cluster, holding: Observation, better: Observation) -> Finding:
    """Why a node that could hold the VIPs, and has a higher priority than the holder, does not hold them."""
    detail = f"{holding.node.name} holds the VIPs, although {better.node.name} could and has the higher priority"
    if not cluster.vrrp.preempt:
        return Finding(None, "holder", True, f"{detail}: preempt is off")
    left = _until_preemption(cluster, holding, better)
    if left > 0:
        text = f"{detail}: it takes them in about {left:.0f} s, after preempt_delay"
        return Finding(None, "holder", False, text, "wait, then: lbdeploy verify", warning=True)
    fix = f"journalctl -u keepalived -n 20 on {better.node.name}"
    return Finding(None, "holder", False, detail, fix, warning=True)


def _until_preemption(cluster: Cluster, holding: Observation, better: Observation) -> float:
    """Seconds until a node of higher priority preempts, counted from the last start of a daemon there (RFC 5798, 6.4).

    Or from the last reload of keepalived or change of the priority offset on either node, since that may be what gave
    it the higher priority. Times of a node are by its own clock.
    """
    vrrp = cluster.vrrp
    started = max(better.service(daemon).since for daemon in DAEMONS)
    told = [(each, max(each.service("keepalived").loaded, each.offset_since)) for each in (holding, better)]
    passed = min(better.now - started, *(each.now - time for each, time in told))
    silence = master_down(vrrp, better.node, better.priority)
    return vrrp.check_interval * vrrp.check_rise + vrrp.preempt_delay + silence + 2 - passed
