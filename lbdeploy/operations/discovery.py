"""Observing hosts before there is a hosts.toml: their interfaces, their addresses, and the VRRP on the wire."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lbdeploy.common.shell import cmd
from lbdeploy.config.model import Address, Interface, Ssh
from lbdeploy.errors import LbdeployError
from lbdeploy.events import Emit
from lbdeploy.node import network_listener
from lbdeploy.node.parsers import Link, parse_ip_a
from lbdeploy.node.remote import remote_text
from lbdeploy.operations.visit import visit

LISTEN_SECONDS = 4  # keepalived's advert interval is 1 s by default: three of them, plus a margin
CONFIGURED, HEARD = "== configured", "== heard"


@dataclass(frozen=True, slots=True)
class DiscoveredHost:
    """What was found on a host: links, virtual router IDs in its keepalived.conf, (ID, source) of adverts it heard."""

    links: tuple[Link, ...]
    configured: frozenset[int]
    heard: frozenset[tuple[int, Address]]


@dataclass(frozen=True, slots=True)
class SharedSubnet:
    """A subnet shared by several hosts: by host, the interface and the address there."""

    members: Mapping[str, tuple[str, Interface]]

    @property
    def interface(self) -> str:
        """The name that the interface has on most hosts."""
        return Counter(interface for interface, _ in self.members.values()).most_common(1)[0][0]

    @property
    def like(self) -> Interface:
        """One of the addresses in the subnet, with the prefix length."""
        return next(address for _, address in self.members.values())

    def is_at(self, hosts: Mapping[str, str]) -> bool:
        """Whether SSH connects to one of these addresses: a host that was given by its address here."""
        return any(str(address.ip) == hosts[name] for name, (_, address) in self.members.items())


def discover(hosts: Mapping[str, str], ssh: Ssh, emit: Emit) -> dict[str, DiscoveredHost | LbdeployError]:
    """Observe all hosts, {name: what SSH connects to}, in parallel. One that fails is an entry, not an exception."""
    task = f"look at interfaces, and listen for VRRP for {LISTEN_SECONDS} s"
    return visit(hosts, ssh, emit, task, lambda _, session: read(session.run(script()).output))


def script() -> str:
    """POSIX sh that changes nothing; listening needs root."""
    looks = "\n".join((
        "LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH",
        "ip a",
        f"echo {cmd(CONFIGURED)}",
        "grep -rh --exclude='*.sample' --exclude='*.dpkg-*' virtual_router_id /etc/keepalived",
        f"echo {cmd(HEARD)}",
        cmd("perl", "-e", remote_text("listen-vrrp.pl"), LISTEN_SECONDS),
    ))  # fmt: skip
    return f"(\n{looks}\n) 2>/dev/null </dev/null\nexit 0\n"


def read(output: str) -> DiscoveredHost:
    """Parse what the script printed, skipping what can't be parsed."""
    links, _, rest = output.partition(f"{CONFIGURED}\n")
    configured, _, adverts = rest.partition(f"{HEARD}\n")
    ids = re.findall(r"^\s*virtual_router_id\s+(\d{1,3})\b", configured, re.MULTILINE)
    heard = frozenset((each.router_id, each.source) for each in network_listener.read(adverts).adverts)
    return DiscoveredHost(parse_ip_a(links), frozenset(map(int, ids)), heard)


def shared(seen: Mapping[str, DiscoveredHost]) -> list[SharedSubnet]:
    """The subnets that all these hosts share, each host with its own address; in the order of the first host's links.

    One per interface, IPv4 if it has that. Container bridges drop out, since their addresses are the same on all hosts.
    """
    first = next(iter(seen))
    found: dict[str, SharedSubnet] = {}
    for link in seen[first].links:
        for address in sorted(link.addresses, key=lambda each: each.version):
            candidate = _on_all(address, seen)
            if candidate and link.name not in found:
                found[link.name] = candidate
    return list(found.values())


def is_usable(address: Interface) -> bool:
    """Whether other hosts could reach the address."""
    return not (address.ip.is_loopback or address.ip.is_link_local)


def _on_all(address: Interface, seen: Mapping[str, DiscoveredHost]) -> SharedSubnet | None:
    if not is_usable(address) or address.network.prefixlen == address.max_prefixlen:
        return None
    members = {name: member for name, each in seen.items() if (member := _member(address, each))}
    distinct = {member[1].ip for member in members.values()}
    return SharedSubnet(members) if len(members) == len(seen) == len(distinct) else None


def _member(address: Interface, seen: DiscoveredHost) -> tuple[str, Interface] | None:
    """A host's first interface and address in the subnet of `address`: a VIP that it holds comes after its own."""
    places = ((link.name, each) for link in seen.links for each in link.addresses)
    return next(((name, each) for name, each in places if each.network == address.network), None)


def router_ids(seen: Mapping[str, DiscoveredHost]) -> dict[int, str]:
    """The virtual router IDs in use, each with where it was found."""
    heard = {each: f"heard from {source}" for one in seen.values() for each, source in sorted(one.heard, key=str)}
    return {each: f"in the keepalived.conf of {name}" for name, one in seen.items() for each in one.configured} | heard
