"""Whether nodes are fit to be members, and stay so: each check has an id, and says how to mend what it finds. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from lbdeploy.desired import KEEPALIVED_CONF
from lbdeploy.errors import HostKeyError, LbdeployError, LoginError, SudoError
from lbdeploy.examination import Examined
from lbdeploy.finding import Finding
from lbdeploy.model import Cluster
from lbdeploy.preflight import foreigners, preflight
from lbdeploy.probe import Observation

# Every check by its id, in the order of the report, with what it is fine about; docs/doctor.md says more of each.
CHECKS = {
    "reach": "SSH connects",
    "host-key": "its host key is the known one",
    "login": "it lets the user log in",
    "sudo": "the user has root rights",
    "release": "its system is one that lbdeploy is made for",
    "apt": "it has apt-get, and nobody uses it now",
    "packages": "apt knows the packages",
    "disk": "there is room on its disks",
    "interface": "its interfaces are there, and up",
    "address": "it has its own addresses",
    "vip-in-use": "nobody else answers for a VIP",
    "vrid-in-use": "nobody else speaks for the virtual router ID",
    "firewall": "VRRP is let through",
    "port": "nobody else listens on a frontend's port",
    "network-manager": "nothing takes the VIPs away again",
    "clock": "its clock is right",
    "foreign-config": "its keepalived.conf is lbdeploy's own, or it has none",
}
REFUSED: dict[type[LbdeployError], str] = {HostKeyError: "host-key", LoginError: "login", SudoError: "sudo"}
KNOWN = {"debian": ("11", "12", "13"), "ubuntu": ("22.04", "24.04", "26.04")}
SKEW_SECONDS = 2.0
WRITTEN = "Written by lbdeploy"


def diagnosis(  # noqa: PLR0917  what was asked, and what came of it
    cluster: Cluster,
    observations: Mapping[str, Observation],
    examined: Mapping[str, Examined],
    errors: Mapping[str, LbdeployError],
    asked: tuple[float, float],
    ignore: Collection[str] = (),
) -> list[Finding]:
    """Every check of every node, those that passed, too. `asked`: between which times nodes were (s, Unix, here)."""
    found = [_unreached(name, error) for name, error in errors.items()]
    found += foreigners(cluster, list(observations.values()))
    for name, seen in observations.items():
        found += preflight(cluster, seen)
        if name in examined:
            found += (each for check in _CHECKS for each in check(cluster, seen, examined[name]))
            found += _clock(name, examined[name], asked)
    found += _unheard(examined, observations)
    found = [each for each in found if each.check not in ignore]
    return [each for name in (*errors, *observations) for each in _all(name, found, ignore)]


def _all(name: str, found: Sequence[Finding], ignore: Collection[str]) -> Iterator[Finding]:
    """A node's findings, and for each check without any that it passed. Nothing is known beyond a node not reached."""
    mine = [each for each in found if each.node == name]
    failed = {each.check for each in mine}
    stopped = next((check for check in ("reach", "host-key", "login", "sudo") if check in failed), None)
    for check, fine in CHECKS.items():
        yield from (each for each in mine if each.check == check)
        if check == stopped:
            return
        if check not in failed and check not in ignore:
            yield Finding(name, check, True, fine)


def _unreached(name: str, error: LbdeployError) -> Finding:
    check = next((check for kind, check in REFUSED.items() if isinstance(error, kind)), "reach")
    return Finding(name, check, False, error.message, error.fix)


def _release(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    name, version, title = asked.release
    if version not in KNOWN.get(name, ()):
        known = ", ".join(f"{each.title()} {', '.join(versions)}" for each, versions in KNOWN.items())
        what = f"runs {title or 'an unknown system'}, which lbdeploy was not made for"
        yield Finding(seen.node.name, "release", False, what, f"it may work; tested: {known}", warning=True)


def _apt(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    if asked.dpkg_lock:
        fix = "wait: lbdeploy up does so for two minutes, and says who it is"
        yield Finding(seen.node.name, "apt", False, f"dpkg is locked by {asked.dpkg_lock}", fix, warning=True)
    for state in seen.states.values():
        if getattr(state, "interrupted", False) is True:
            yield Finding(seen.node.name, "apt", False, "dpkg was interrupted", "lbdeploy up repairs it", warning=True)


def _packages(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    missing = [name for name, version in asked.candidates.items() if version == "(none)"]
    if missing:
        fix = "apt-get update there; if that does not help, see to its sources: /etc/apt/sources.list.d"
        yield Finding(seen.node.name, "packages", False, f"apt does not know {', '.join(missing)}", fix)


def _router_id(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    ours = {address for node in cluster.nodes for address in node.addresses.values()}
    for router_id, source in sorted(asked.heard, key=str):
        if router_id == cluster.vrrp.router_id and source not in ours:
            what = f"virtual router ID {router_id} is in use: adverts come from {source}"
            yield Finding(seen.node.name, "vrid-in-use", False, what, "choose another router_id in hosts.toml")


def _firewall(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    """Chains that drop what comes in, and say nothing of VRRP. A rule may let peers through by their addresses."""
    if any(not _lets_through(chain) for chain in _dropping(asked.rules)):
        peers = ", ".join(str(peer.addresses[cluster.vrrp.network]) for peer in cluster.peers(seen.node))
        fix = f"let IP protocol 112 in from {peers}, such as: nft add rule inet filter input ip protocol vrrp accept"
        what = "its firewall drops what comes in, and no rule speaks of VRRP (IP protocol 112)"
        yield Finding(seen.node.name, "firewall", False, what, fix, warning=True)


def _dropping(rules: str) -> Iterator[str]:
    """The chains of nftables and iptables that drop by default, as text."""
    for chain in re.findall(r"chain \S+ \{(.*?)\n\t\}", rules, re.DOTALL):
        if re.search(r"hook input .*policy drop", chain):
            yield chain
    if re.search(r"^:INPUT DROP", rules, re.MULTILINE):
        yield "\n".join(re.findall(r"^-A INPUT .*", rules, re.MULTILINE))


def _lets_through(chain: str) -> bool:
    return bool(re.search(r"\b(vrrp|112)\b.*\b(accept|ACCEPT)\b", chain))


def _port(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    vips = {str(vip.ip) for vip in cluster.vips}
    for frontend in cluster.frontends:
        for each in asked.listeners:
            mine = each.port == frontend.port and (not each.host or each.host in vips)
            if mine and '"haproxy"' not in each.who:
                what = f"port {each.port} of frontend {frontend.name} is taken: {each.who or 'by another program'}"
                yield Finding(seen.node.name, "port", False, what, "stop that, or choose another port in hosts.toml")


def _network_manager(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    managed = sorted(asked.managed & set(seen.node.interfaces.values()))
    if managed and not asked.keeps:
        fix = "KeepConfiguration=static in the .network file of each; with netplan: critical: true"
        what = f"systemd-networkd removes the VIPs from {', '.join(managed)} when it is restarted"
        yield Finding(seen.node.name, "network-manager", False, what, fix, warning=True)


def _foreign_config(cluster: Cluster, seen: Observation, asked: Examined) -> Iterator[Finding]:
    state = seen.states[f"file {KEEPALIVED_CONF}"]
    if state.kind == "file" and WRITTEN not in state.content:
        what = f"{KEEPALIVED_CONF} was not written by lbdeploy"
        fix = "lbdeploy up replaces it, and keeps it; lbdeploy plan shows the difference"
        yield Finding(seen.node.name, "foreign-config", False, what, fix, warning=True)


_Check = Callable[[Cluster, Observation, Examined], Iterator[Finding]]
_CHECKS: tuple[_Check, ...] = (
    _release, _apt, _packages, _router_id, _firewall, _port, _network_manager, _foreign_config,
)  # fmt: skip


def _clock(name: str, asked: Examined, between: tuple[float, float]) -> Iterator[Finding]:
    """The logs of nodes whose clocks differ can't be compared; certificates may seem to be of tomorrow."""
    ahead = max(0.0, asked.clock - between[1]) + min(0.0, asked.clock - between[0])
    if abs(ahead) > SKEW_SECONDS:
        what = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        yield Finding(name, "clock", False, what, "timedatectl set-ntp true, or see to its time servers", warning=True)
    elif not asked.synchronised:
        yield Finding(name, "clock", False, "its clock is not synchronised", "timedatectl set-ntp true", warning=True)


def _unheard(examined: Mapping[str, Examined], observations: Mapping[str, Observation]) -> Iterator[Finding]:
    """Nodes that speak and hear nobody, though another one speaks as well."""
    speaking = {name: each.adverts for name, each in examined.items() if each.adverts and each.adverts[0]}
    for name, adverts in speaking.items():
        others = [other for other in speaking if other != name]
        holds = [other for other in (*others, name) if observations[other].service("keepalived").running]
        if others and adverts and not adverts[1] and len(holds) > 1:
            what = f"it has sent VRRP adverts and received none, though {' and '.join(others)} has sent some, too"
            fix = "let IP protocol 112 through between the nodes: firewalls, switches, cloud security groups"
            yield Finding(name, "firewall", False, what, fix)
