"""What is wrong between nodes, and with other hosts on their networks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lbdeploy.config.model import Address, Cluster, Node
from lbdeploy.health.finding import Finding
from lbdeploy.node.network_listener import FILES, FIND, LATE, LISTEN, SEND, Claim, group
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.operations.doctor.firewall.firewall import remedy, shuts_out
from lbdeploy.operations.doctor.firewall.packet_filter import Packet
from lbdeploy.operations.doctor.system_checks import SKEW_SECONDS, span

Judge = Callable[[Cluster, Sequence[Checkup]], Iterator[Finding]]


def problems(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Everything that is wrong between these nodes, and on their networks."""
    for judge in JUDGES:
        yield from judge(cluster, checkups)


def _vips(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Other hosts that answer for a VIP; a node whose MACs are unknown may be the one that answers."""
    away = [node.name for node in cluster.nodes if node.name not in {each.node.name for each in checkups}]
    for claim in sorted(_claims(checkups), key=str):
        detail = f"{claim.ip} is in use: {claim.mac} has it, or answers for it, on {claim.interface}"
        if away:
            detail += f"; it may be {' or '.join(away)}, which was not looked at"
        fix = "find that host, or choose another VIP; to continue anyway: lbdeploy up --ignore vip-in-use"
        found = Finding.failed(None, "vip-in-use", detail, fix, subject=str(claim.ip))
        yield found.as_warning() if away else found


def _claims(checkups: Sequence[Checkup]) -> set[Claim]:
    """VIPs for which a host answers that is none of these nodes."""
    ours = {link.mac for each in checkups for link in each.observation.links}
    return {claim for each in checkups for claim in each.wire.claims if claim.mac not in ours}


def _router_id(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Other routers with our IDs; in the other family, or on another network, they are others (RFC 5798, 5.2.3)."""
    vrrp, ours = cluster.vrrp, {part.vrrp.router_id for part in cluster.parts}
    members = {address for node in cluster.nodes for address in node.addresses.values()}
    members |= {a.ip for each in checkups for link in each.observation.links for a in link.addresses}
    sources = {
        (advert.source, advert.router_id)
        for each in checkups
        for advert in each.wire.adverts
        if advert.router_id in ours
        and advert.interface == each.node.interfaces[vrrp.network]
        and advert.source.version == each.node.addresses[vrrp.network].version
    }
    for source, router_id in sorted((each for each in sources if each[0] not in members), key=str):
        detail = f"virtual router ID {router_id} is in use: adverts come from {source} on network {vrrp.network}"
        key = "router_id of that group" if vrrp.groups else "vrrp.router_id"
        fix = f"choose another {key} in hosts.toml; to continue anyway: lbdeploy up --ignore vrid-in-use"
        yield Finding.failed(None, "vrid-in-use", detail, fix, subject=str(source))


def _anybody(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Multicast has no list of peers. Routers don't forward that group, so it is about hosts of the same link."""
    if cluster.vrrp.mode == "multicast" and cluster.firewall != "nftables":
        detail = f"any host on network {cluster.vrrp.network} can take the VIPs: with multicast, adverts of all count"
        fix = "keep untrusted hosts off that network; or cluster.firewall = 'nftables', or vrrp.mode = 'unicast'"
        yield Finding.warning(None, "vrrp-source", detail, fix)


def _only_on_holder(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """VIPs that answer on their holder, and not another node on their network: what is between drops them.

    Unless another host answers for the VIP, which has a finding of its own.
    """
    claimed = {claim.ip for claim in _claims(checkups)}
    for vip in (each for each in cluster.vips if each.ip not in claimed):
        holders = [each for each in checkups if each.observation.holds(vip.ip)]
        others = [each for each in checkups if each not in holders and _is_near(each, vip.ip)]
        if len(holders) == 1 and _answered(holders[0], vip.ip) is True:
            for each in others:
                if _answered(each, vip.ip) is False:
                    yield _dropped(vip.ip, holders[0].node.name, each.node.name)


def _is_near(checkup: Checkup, ip: Address) -> bool:
    return any(ip in each.network for link in checkup.observation.links for each in link.addresses)


def _answered(checkup: Checkup, ip: Address) -> bool | None:
    """Whether a node gets an answer from a VIP, at any port; None where it has not asked."""
    answers = [each.ok for each in checkup.observation.answered if each.ip == ip]
    return any(answers) if answers else None


def _dropped(ip: Address, holder: str, name: str) -> Finding:
    detail = f"{ip} answers on {holder}, which holds it, and not from here: the network between them may drop it"
    fix = (
        f"let {holder} use that address: allowed_address_pairs of an OpenStack port, forged transmits and MAC changes "
        "of a VMware port group, filters of MACs or IPs of Hyper-V, Proxmox or a switch; where none of that can be, an "
        "API moves the address: docs/howto/floating-ip.md; a firewall between them has a finding of its own"
    )
    return Finding.failed(name, "vip-reach", detail, fix, subject=str(ip))


def _blocked(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    by_name = {each.node.name: each for each in checkups}
    for receiver in checkups:
        for peer in cluster.peers(receiver.node):
            if peer.name in by_name:
                yield from _way(cluster, by_name[peer.name], receiver)


def _way(cluster: Cluster, sender: Checkup, receiver: Checkup) -> Iterator[Finding]:
    """VRRP from one node to another: where it is dropped tells which firewall drops it."""
    source, target = _at(cluster, sender.node), _at(cluster, receiver.node)
    if source in receiver.wire.through:
        yield from _answers_only(cluster, source, receiver)
    if source in receiver.wire.through or not _there(cluster, sender) or not _there(cluster, receiver):
        return
    if LISTEN not in receiver.wire.done or SEND not in sender.wire.done:
        return
    way = f"from {sender.node.name} ({source}) to {receiver.node.name} ({target})"
    if any(advert.source == source for advert in receiver.wire.adverts):
        detail = f"its firewall drops VRRP (IP protocol 112) {way}"
        advert = Packet("vrrp", target, source)
        fix = remedy(receiver.lines("firewall"), "input", advert, receiver.node.interfaces[cluster.vrrp.network])
        yield Finding.failed(receiver.node.name, "firewall", detail, fix, subject=str(source))
        return
    sent_to = group(target) if cluster.vrrp.mode == "multicast" else target
    why = (sender.wire.unsent or {}).get(sent_to)
    detail = (
        f"can't send VRRP (IP protocol 112) {way}: {why}" if why else f"VRRP (IP protocol 112) {way} does not arrive"
    )
    advert = Packet("vrrp", sent_to, source)
    fix = remedy(sender.lines("firewall"), "output", advert, sender.node.interfaces[cluster.vrrp.network])
    fix = fix if why else f"{fix}; or it is dropped in between"
    yield Finding.failed(sender.node.name, "firewall", detail, fix, subject=str(target))


def _answers_only(cluster: Cluster, source: Address, receiver: Checkup) -> Iterator[Finding]:
    """VRRP passed only because this node had sent some itself; its rules drop that of a peer it has not sent any."""
    advert = Packet("vrrp", _at(cluster, receiver.node), source)
    if culprit := shuts_out(receiver.lines("firewall"), advert):
        fix = remedy(receiver.lines("firewall"), "input", advert, receiver.node.interfaces[cluster.vrrp.network])
        detail = (
            f"its firewall lets VRRP (IP protocol 112) from {source} in only once it has sent some itself: {culprit}"
        )
        yield Finding.warning(receiver.node.name, "firewall", detail, fix, subject=str(source))


def _deaf(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Nodes that could not listen: that nothing was heard there proves nothing."""
    for program, check in ((FIND, "vip-in-use"), (LISTEN, "vrid-in-use"), (LISTEN, "firewall"), (SEND, "firewall")):
        deaf = [each for each in checkups if program not in each.wire.done]
        for why, fix in dict.fromkeys(_why_deaf(each, program) for each in deaf):
            names = [each.node.name for each in deaf if _why_deaf(each, program) == (why, fix)]
            detail = f"could not be looked at from {' and '.join(names)}: {FILES[program]} {why}"
            yield Finding.warning(None, check, detail, fix, subject=program)


def _why_deaf(checkup: Checkup, program: str) -> tuple[str, str]:
    """Why a program on a node found nothing, and what to do."""
    status = checkup.wire.ended.get(program)
    if status == LATE:
        return "took too long there", "lbdeploy doctor again, once the node has less to do: see uptime there"
    if status == 0:
        why = "could open no socket, or found no such interface, there"
        return why, "see ip link there; and whether root may: perl -MSocket -e 'socket(S, 17, 2, 0) or die $!'"
    how = "did not end there" if status is None else f"did not run there: exit status {status}"
    return how, "see whether perl runs there as root: perl -e 1"


def _clocks(cluster: Cluster, checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """The two clocks furthest apart, unless one of them is reported for differing from the operator's."""
    known = sorted((each.ahead, each.node.name) for each in checkups if each.ahead is not None)
    if len(known) < 2:
        return
    (behind, slow), (ahead, fast) = known[0], known[-1]
    if ahead - behind > SKEW_SECONDS >= max(ahead, -behind):
        detail = f"the clock of {fast} is {span(ahead - behind)} ahead of that of {slow}"
        fix = "keep both in sync by NTP: timedatectl set-ntp true on each"
        yield Finding.warning(None, "clock", detail, fix)


JUDGES: tuple[Judge, ...] = (_vips, _router_id, _anybody, _only_on_holder, _blocked, _deaf, _clocks)


def _at(cluster: Cluster, node: Node) -> Address:
    return node.addresses[cluster.vrrp.network]


def _there(cluster: Cluster, checkup: Checkup) -> bool:
    """Whether a node has its own address. Without it, nothing can be sent, and another finding says so."""
    return bool(checkup.observation.holds(_at(cluster, checkup.node)))
