"""Whether the VIPs are where they should be, and if not, why not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lbdeploy.common.debian import DAEMONS
from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node, Vip
from lbdeploy.health.finding import Finding
from lbdeploy.health.fitness import able, kept_by_tracking, lacking, unable
from lbdeploy.health.placement import Placement
from lbdeploy.health.state import ClusterState
from lbdeploy.node import keepalived_conf
from lbdeploy.node.keepalived_conf import Instance
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.surroundings import DEFAULT
from lbdeploy.node.vrrp_priority import HANDOVER, YIELD, effective, master_down

ASK_DOCTOR = typed("doctor", after=" tries whether the nodes' adverts arrive, and names what drops them")
ON_EACH_NODE = "see on each node: journalctl -u keepalived -n 20"


def placed(state: ClusterState) -> Iterator[Finding]:
    """Whether exactly one node holds each VIP, once, and on the right interface."""
    for placement in state.vips:
        yield from _held_once(state, placement)
        alone = len(placement.holders) == 1
        for each in state.observations:
            yield from _in_place(state, placement.vip, each, alone=alone)


def _held_once(state: ClusterState, placement: Placement) -> Iterator[Finding]:
    """A VIP that no node holds, or several hold. Where only some nodes were asked, none of them needs to hold it."""
    ip, names = str(placement.vip.ip), placement.holders
    if not names and not state.partial:
        detail = f"{ip} is on no node{state.qualifier}"
        yield Finding.failed(None, "vip", detail, ON_EACH_NODE, subject=ip, settling=not state.errors)
    if len(names) > 1:
        detail = f"{ip} is on {' and '.join(names)} at once"
        part = state.cluster.part(placement.vip.group)
        yield Finding.failed(None, "vip", detail, _why_both(state, part, names), subject=ip, settling=True)


def _in_place(state: ClusterState, vip: Vip, seen: Observation, *, alone: bool) -> Iterator[Finding]:
    """Whether a node that holds a VIP has it on the right interface, and usable. `alone`: no other node holds it."""
    want, have, ip = seen.node.interfaces[vip.network], seen.holds(vip.ip), str(vip.ip)
    if have and have != [want]:
        detail = f"{ip} is on {', '.join(have)}, should be on {want}"
        yield Finding.failed(seen.node.name, "vip", detail, typed("up"), subject=ip)
    elif have and (doubt := seen.doubt(vip.ip)):
        yield _doubtful(seen.node, vip, want, doubt)
    elif have and alone:
        nowhere = "" if state.partial else f", and on no other node{state.qualifier}"
        yield Finding.passed(seen.node.name, "vip", f"{ip} is on {want}{nowhere}", subject=ip)


def _doubtful(node: Node, vip: Vip, interface: str, doubt: str) -> Finding:
    """A VIP that does not answer: duplicate address detection is still running, or has found another host."""
    ip = str(vip.ip)
    if doubt == "tentative":
        detail = (
            f"{ip} is on {interface}, and can't be used yet: the kernel asks whether another host has it (tentative)"
        )
        fix = typed("verify", before="wait, then: ", after="; keepalived itself places VIPs without asking")
        return Finding.failed(node.name, "vip", detail, fix, subject=ip, settling=True)
    detail = f"{ip} is on {interface}, and can't be used: another host has it ({doubt})"
    fix = typed("handover", before="find that host; then, to place the VIP anew: ")
    return Finding.failed(node.name, "vip", detail, fix, subject=ip)


def holder(state: ClusterState) -> Iterator[Finding]:
    """Whether the VIPs of each group are all on one node, and on the one that VRRP prefers; if not, why not."""
    for part in state.parts:
        yield from _holder(part)
    if any(part.holder for part in state.parts):
        yield from _gives_up(state.observations)


def _holder(state: ClusterState) -> Iterator[Finding]:
    if holding := state.holder:
        yield _preferred(state, holding)
    elif any(placement.holders for placement in state.vips):
        where = ", ".join(f"{p.vip.ip} on {p.told('no node')}" for p in state.vips)
        detail = f"{state.cluster.its_vips} are not all on one node: {where}"
        yield Finding.failed(None, "holder", detail, ON_EACH_NODE, subject=state.cluster.group, settling=True)


def _preferred(state: ClusterState, holding: Observation) -> Finding:
    """Whether the one node that holds the VIPs is the one that VRRP prefers, of those that could hold them."""
    name, cluster = holding.node.name, state.cluster
    better = _better(state, holding)
    if fit := _fit(better, holding):
        return _waiting(cluster, holding, fit[0])
    if holding.priority_offset > 0:
        detail = f"{name} holds {cluster.its_vips} after a handover{_as_long_as(cluster)}"
        return Finding.passed(None, "holder", detail, subject=cluster.group)
    why = "".join(f"; {each.node.name} cannot take over: {_why_not(each, holding)}" for each in better)
    why += "".join(f"; {each.node.name} {_moved(each)}" for each in _outdone(holding, state.observations))
    detail = f"{name} holds {cluster.its_vips}" + (why or ", as its priority says")
    return Finding.passed(None, "holder", detail, subject=cluster.group)


def _better(state: ClusterState, holding: Observation) -> list[Observation]:
    """The nodes of higher priority than the one that holds the VIPs."""
    return [each for each in state.observations if each.priority > holding.priority]


def _fit(better: Sequence[Observation], holding: Observation) -> list[Observation]:
    """Those that could hold the VIPs."""
    return [each for each in better if able(each) and not lacking(each, holding)]


def preempting(state: ClusterState) -> dict[str, float]:
    """The nodes that are about to take VIPs from a holder of lower priority, and in how many seconds at most."""
    found: dict[str, float] = {}
    for part in state.parts:
        if not (holding := part.holder) or not part.cluster.vrrp.preempt:
            continue
        for each in _fit(_better(part, holding), holding):
            if (left := _until_preemption(part.cluster, holding, each)) > 0:
                found[each.node.name] = max(left, found.get(each.node.name, 0.0))
    return found


def _why_not(seen: Observation, holding: Observation) -> str:
    frontends = " and ".join(lacking(seen, holding))
    return unable(seen) or f"it reaches no server of {frontends}, as {holding.node.name} does"


def tracked(state: ClusterState) -> Iterator[Finding]:
    """Nodes whose priority is lowered by the operator's own files and scripts, or that these keep from holding VIPs."""
    for part in state.parts if state.cluster.vrrp.tracks else ():
        yield from _tracked(part)


def _tracked(state: ClusterState) -> Iterator[Finding]:
    vrrp, group = state.cluster.vrrp, state.cluster.group
    usual = sum(max(0, each.weight) for each in vrrp.track_scripts)
    fix = "see what vrrp.track_files and vrrp.track_scripts look at there: journalctl -u keepalived -n 20"
    for each in state.observations:
        if kept_by_tracking(each):
            detail = f"what it tracks keeps it from holding {state.cluster.its_vips}: keepalived is in FAULT state"
            yield Finding.warning(each.node.name, "track", detail, fix, subject=group, settling=True)
        elif (
            each.keepalived.state in ("MASTER", "BACKUP")
            and each.keepalived.priority is not None
            and each.tracked < usual
        ):
            whose = f" among {state.cluster.its_vips}" if group else ""
            yield Finding.warning(each.node.name, "track", f"it {_moved(each)}{whose}", fix, subject=group)


def _outdone(holding: Observation, observations: Sequence[Observation]) -> list[Observation]:
    """Nodes that would hold the VIPs if neither they nor the holder tracked anything."""
    priority = effective(holding.node.priority, holding.priority_offset)
    others = [each for each in observations if each.tracked != holding.tracked and able(each)]
    return [each for each in others if effective(each.node.priority, each.priority_offset) > priority]


def _moved(seen: Observation) -> str:
    return f"has priority {seen.priority}, with what it tracks: {seen.tracked:+d}"


def _as_long_as(cluster: Cluster) -> str:
    return f": until {cluster.handover('--back')}, or its next start; then {cluster.preferred.name} takes them again"


def _gives_up(observations: Sequence[Observation]) -> Iterator[Finding]:
    """Nodes that were told to leave the VIPs to others, by a run that is gone and can't take that back."""
    for each in observations:
        run = each.states.get("service lbdeploy")
        if each.priority_offset <= YIELD and run is not None and not run.active:
            detail = f"it leaves the VIPs to others: {HANDOVER} says {each.priority_offset}"
            yield Finding.warning(each.node.name, "holder", detail, typed("handover", "--back"))


def _waiting(cluster: Cluster, holding: Observation, better: Observation) -> Finding:
    """Why a node that could hold the VIPs, and has a higher priority than the holder, does not hold them."""
    detail = (
        f"{holding.node.name} holds {cluster.its_vips}, although {better.node.name} could and has the higher priority"
    )
    group = cluster.group
    if not cluster.vrrp.preempt:
        return Finding.passed(None, "holder", f"{detail}: preempt is off", subject=group)
    left = _until_preemption(cluster, holding, better)
    if left > 0:
        text = f"{detail}: it takes them in about {left:.0f} s, after preempt_delay"
        return Finding.warning(None, "holder", text, typed("verify", before="wait, then: "), subject=group)
    fix = f"journalctl -u keepalived -n 20 on {better.node.name}"
    return Finding.warning(None, "holder", detail, fix, subject=group)


def _until_preemption(cluster: Cluster, holding: Observation, better: Observation) -> float:
    """Seconds until a node of higher priority preempts, counted from the last start of a daemon there (RFC 5798, 6.4).

    Or from the last reload of keepalived or change of the priority offset on either node, since that may be what gave
    it the higher priority. Times of a node are by its own clock.
    """
    vrrp = cluster.vrrp
    started = max(better.service(daemon).since for daemon in DAEMONS)
    changed = [(each, max(each.service("keepalived").loaded, each.offset_since)) for each in (holding, better)]
    passed = min(better.now - started, *(each.now - time for each, time in changed))
    silence = master_down(vrrp, better.node, better.priority)
    return vrrp.check_interval * vrrp.check_rise + _preempt_delay(cluster, better) + silence + 2 - passed


def _preempt_delay(cluster: Cluster, seen: Observation) -> float:
    """That (s) by which a node's keepalived goes now, which hosts.toml may be about to change."""
    instance = _instance(seen, cluster)
    text = instance.settings.get("preempt_delay", "") if instance else ""
    return float(text) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,6})?", text) else cluster.vrrp.preempt_delay


def _why_both(state: ClusterState, part: Cluster, names: Sequence[str]) -> str:
    """What to do where these nodes hold a VIP at once."""
    holding = [each for each in state.observations if each.node.name in names]
    for each in holding:
        name = each.node.name
        if not each.service("keepalived").running:
            return typed("up", before=f"keepalived does not run on {name}, and has left the VIPs there: ")
        if each.lost_address:
            return f"{name} lacks its own address {each.lost_address}, and hears no peer: see that finding"
    instances = {each.node.name: _instance(each, part) for each in holding}
    if len({_must_agree(each) for each in instances.values() if each}) > 1:
        differing = f"the keepalived.conf of {' and of '.join(instances)} differ in what peers must agree on: "
        return typed("up", before=differing)
    return ASK_DOCTOR


def _instance(seen: Observation, part: Cluster) -> Instance | None:
    conf = seen.states.get(f"file {DEFAULT['keepalived']}")
    if not isinstance(conf, FileState):
        return None
    found = keepalived_conf.find(conf.content, part.vrrp.router_id, part.instance)
    return found or (None if part.group else keepalived_conf.read(conf.content))


def _must_agree(instance: Instance) -> tuple[str, bool, frozenset[str]]:
    """What a peer's adverts must have for them to count, but for the address that they come from."""
    return instance.identity[0], bool(instance.peers), instance.agreed
