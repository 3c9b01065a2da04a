"""What must be true before anything is put on the nodes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from lbdeploy.common.debian import PACKAGES, SYSCTL_FOLDER, lists_packages
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import key_text
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import holders
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.health_probes import INSTALLED_IN, NO_IPV6, ROUTED
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import Packages
from lbdeploy.node.resources.package import PackageState
from lbdeploy.planning.vrrp.members import Member, differing, identity_changes, member_of, strangers

ROOM_KIB = 1024  # many times what the files, their old content and a journal need
ROOM_INODES = 100
PACKAGES_KIB = 65536  # what haproxy, keepalived and their dependencies take, plus a margin
PACKAGES_INODES = 3000
UNHEARD = "unheard"


def preflight(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    """What a node must have before anything is put on it: apt, its interfaces, and its own addresses on them."""
    node = observation.node
    if not observation.apt:
        yield Finding.failed(node.name, "apt", "has no apt-get", "lbdeploy works on Debian and Ubuntu")
    yield from _lacking(observation)
    yield from full(observation)
    for network in node.interfaces:
        yield from _interface(cluster, observation, network)
    yield from _routed(cluster, observation)


def _interface(cluster: Cluster, observation: Observation, network: str) -> Iterator[Finding]:
    """What is wrong with the interface of a network, or with the node's address on it."""
    node, links = observation.node, {link.name: link for link in observation.links}
    interface, address = node.interfaces[network], node.addresses[network]
    if interface not in links:
        yield _missing(cluster, observation, network)
        return
    if not links[interface].up:
        fix = f"ip link set {interface} up, or check its cable"
        detail = f"its interface {interface} is down"
        yield Finding.failed(node.name, "interface", detail, fix, subject=interface)
    if NO_IPV6 + interface in observation.lacks:
        setting = f"net/ipv6/conf/{interface}/disable_ipv6"  # dots would be slashes, also those of ens192.100
        detail = f"its interface {interface} is to carry IPv6 VIPs, but IPv6 is turned off there: {setting}"
        fix = f"sysctl -w {setting}=0, and correct what sets it in {SYSCTL_FOLDER}"
        yield Finding.failed(node.name, "interface", detail, fix, subject=interface)
    if interface not in observation.holds(address):
        where = ", ".join(observation.holds(address))
        detail = f"{address} is on {where}, not on {interface}" if where else f"{interface} does not have {address}"
        fix = f"correct {key_text('nodes', node.name, network)} in hosts.toml, or the node's network"
        yield Finding.failed(node.name, "address", detail, fix, subject=str(address))


def _missing(cluster: Cluster, observation: Observation, network: str) -> Finding:
    """An interface that is not there, or not by that name: keepalived knows no altname (ip-link(8))."""
    node = observation.node
    interface = node.interfaces[network]
    real = next((link.name for link in observation.links if interface in link.others), "")
    if real:
        named = f"{interface}, for network {network}, {real}"
        detail = f"calls {named}: the other is an altname, which keepalived does not know"
        key = key_text("nodes", node.name, "interfaces")
        fix = f'set {key} = {{ {key_text(network)} = "{real}" }} in hosts.toml'
    else:
        detail = f"has no interface {interface}, for network {network}"
        there = sorted(link.name for link in observation.links if link.name != "lo")
        fix = _other_interface(cluster, node, network, there)
    return Finding.failed(node.name, "interface", detail, fix, subject=interface)


def _other_interface(cluster: Cluster, node: Node, network: str, there: Sequence[str]) -> str:
    """What to write instead: the nearest name that the node has, at the line of hosts.toml that names the wrong one."""
    from difflib import get_close_matches

    from lbdeploy.config.mistakes.line_numbers import place_in

    wrong = node.interfaces[network]
    own = wrong != cluster.networks[network].interface
    where = place_in(cluster.path, ("nodes", node.name, "interfaces") if own else ("networks", network, "interface"))
    close = get_close_matches(wrong, there, 1)
    meant = f"did you mean {close[0]}? " if close else ""
    key = f'{key_text("nodes", node.name, "interfaces")} = {{ {key_text(network)} = "NAME" }}'
    alone = f"; for {node.name} alone: {key}"
    return f"{where}: {meant}it has: {', '.join(there)}{'' if own else alone}"


def _routed(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    """Peers behind a router, which lowers the TTL of adverts: where none is expected, they would count for nothing."""
    vrrp, node = cluster.vrrp, observation.node
    if vrrp.max_hops or vrrp.mode == "multicast" or observation.lost_address:
        return
    for peer in cluster.peers(node):
        address = peer.addresses[vrrp.network]
        if f"{ROUTED}{address}" in observation.lacks:
            detail = f"reaches {peer.name} ({address}) through a router, and adverts that pass one count for nothing"
            fix = f"correct its route, see: ip route get {address}; or, if meant: vrrp.max_hops = 1 in hosts.toml"
            yield Finding.failed(node.name, "same-link", detail, fix, subject=str(address))


def foreigners(cluster: Cluster, observations: Sequence[Observation]) -> Iterator[Finding]:
    """VIPs for which a host answers that is none of the nodes: taking them would put one address on two hosts.

    No findings where only some of the nodes were observed: that host may be one of the others.
    """
    if len(observations) < len(cluster.nodes):
        return
    ours = {link.mac for each in observations for link in each.links}
    held = set(holders(cluster, observations))
    for each in observations if not held else ():
        for neighbour in each.neighbours:
            if neighbour.mac not in ours and any(neighbour.ip == vip.ip for vip in cluster.vips):
                detail = f"{neighbour.ip} is in use: {neighbour.mac} answers for it"
                fix = "find that host, or choose another VIP; to continue anyway: --ignore vip-in-use"
                yield Finding.failed(each.node.name, "vip-in-use", detail, fix, subject=str(neighbour.ip))


def left_out(cluster: Cluster, plans: Mapping[str, NodePlan]) -> Iterator[Finding]:
    """Changes of settings that VRRP peers must agree on, on some nodes only: the others would no longer hear them."""
    others = [node.name for node in cluster.nodes if node.name not in plans]
    if others and any(identity_changes(cluster, plan) for plan in plans.values()):
        detail = f"this changes what VRRP peers must agree on, and leaves out {' and '.join(others)}"
        fix = "change all nodes together, without --limit; if they are gone for good: --ignore agreement"
        yield Finding.failed(None, "agreement", detail, fix)


def unlike_peers(
    cluster: Cluster, plans: Mapping[str, NodePlan], observations: Sequence[Observation], scope: Collection[str]
) -> Iterator[Finding]:
    """Nodes that would start beside running ones that they don't understand, and that are not to be changed."""
    planned = [each for each in observations if each.node.name in plans]
    if all(each.node.name in scope for each in planned):
        return
    members = [member_of(cluster, plans[each.node.name], each) for each in planned]
    beside = [each for each in members if each.name not in scope]
    for member in members:
        if member.name in scope and member.plan.changes and not identity_changes(cluster, member.plan):  # see left_out
            for other in strangers(cluster, member, beside):
                yield _unlike(cluster, member, other)


def _unlike(cluster: Cluster, member: Member, other: Member) -> Finding:
    name = other.name
    if has := differing(cluster, other.plan):
        then = "neither would hear the other, and both would hold the VIPs"
        detail = f"{name} runs, is not to be changed, and has {'; '.join(has)}: {then}"
        after = f"{member.name} is a member, without --limit: lbdeploy up"
        fix = f"put that back in hosts.toml as {name} has it, and run this again; change it once {after}"
        return Finding.failed(member.name, "agreement", detail, fix, subject=name)
    detail = f"{name} runs, is not to be changed, and sends it no adverts: it would take the VIPs that others hold"
    return Finding.failed(member.name, UNHEARD, detail, "change all nodes together, without --limit", subject=name)


def refused_versions(plan: NodePlan) -> Iterator[Finding]:
    """Versions that hosts.toml wants and no apt source of the node offers; unknown where sources are to be added."""
    if any(lists_packages(change.name) for change in plan.changes):
        return
    for part in plan.parts:
        if isinstance(part.resource, Packages):
            yield from unoffered(plan.node.name, part.resource, part.state)


def unoffered(node: str, packages: Packages, state: PackageState) -> Iterator[Finding]:
    """Versions that these packages should have, and that no source offers, as far as apt's lists tell."""
    for name, pattern, offered in packages.unoffered(state):
        detail = f"no apt source offers {name} {pattern}; they offer: {', '.join(offered)}"
        fix = f"correct packages.{name} in hosts.toml; where it is newer than the node's lists: apt-get update there"
        yield Finding.failed(node, "versions", detail, fix, subject=name)


def _lacking(observation: Observation) -> Iterator[Finding]:
    if "systemd" in observation.lacks:
        yield Finding.failed(observation.node.name, "systemd", "is not run by systemd", "lbdeploy needs systemd")
    if "nonlocal-bind" in observation.lacks:
        detail = "does not let haproxy bind to VIPs that are elsewhere: ip_nonlocal_bind can't be set"
        fix = (
            "make /proc/sys/net writable there: in a container that is its host's; for VIPs of IPv6, have IPv6 enabled"
        )
        yield Finding.failed(observation.node.name, "nonlocal-bind", detail, fix)


def full(observation: Observation) -> Iterator[Finding]:
    """File systems without room for what may have to be written: better found out before a run than in the middle."""
    for room in observation.room:
        kib, inodes = _needed(observation, room.folder)
        if room.kib < kib or room.inodes < inodes:
            what = f"{room.kib} KiB" if room.kib < kib else f"{room.inodes} inodes"
            more = f", and {kib if room.kib < kib else inodes} are needed" if kib > ROOM_KIB else ""
            fix = f"make room: du -xh {room.folder} | sort -h | tail; to continue anyway: --ignore disk"
            detail = f"{room.folder} has only {what} free{more}"
            yield Finding.failed(observation.node.name, "disk", detail, fix, subject=room.folder)


def _needed(observation: Observation, folder: str) -> tuple[int, int]:
    """KiB and inodes that must be free: where packages go, much if any will be installed, and nothing otherwise."""
    if folder not in INSTALLED_IN:
        return ROOM_KIB, ROOM_INODES
    states = [state for state in observation.states.values() if isinstance(state, PackageState)]
    missing = any(name not in state.versions for state in states for name in PACKAGES)
    return (PACKAGES_KIB, PACKAGES_INODES) if missing else (0, 0)
