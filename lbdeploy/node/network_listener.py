"""What nodes hear on their networks: which hosts answer for the VIPs, and which send VRRP.

Three small programs on each node, in parallel, for three advert intervals: one listens for VRRP, one sends peers what
firewalls take for VRRP, one asks which hosts have the VIPs. None needs to be installed: perl-base is on every Debian.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.config.model import Address, Cluster, Node
from lbdeploy.node.remote import remote_text

LISTEN, SEND, FIND = "vrrp", "hail", "who-has"  # the programs' names in their output
FILES = {LISTEN: "listen-vrrp.pl", SEND: "send-vrrp.pl", FIND: "find-address-owner.pl"}
MARGIN = 5  # seconds that a program may take beyond the time that it was given
LATE = 124  # the exit status of timeout(1) where it had to end a program


@dataclass(frozen=True, slots=True)
class Advert:
    """VRRP that arrived at a node, whether or not its firewall lets it pass."""

    router_id: int
    source: Address
    interface: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A host that answered for an address, announced it, or asked from it."""

    ip: Address
    mac: str
    interface: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What one node heard. `through`: sources of VRRP that its firewall lets pass; `unsent`: by peer, why it failed.

    `done` are the programs that did all that they were to do; what the others would have found is unknown. `ended`:
    the exit status of each program, LATE of one that was ended for it.
    """

    adverts: frozenset[Advert] = frozenset()
    through: frozenset[Address] = frozenset()
    claims: frozenset[Claim] = frozenset()
    unsent: Mapping[Address, str] | None = None
    done: frozenset[str] = frozenset()
    ended: Mapping[str, int] = field(default_factory=dict)


def seconds(cluster: Cluster) -> float:
    """How long to listen: three advert intervals (RFC 5798, 6.1), each at least keepalived's default, and a margin."""
    return math.ceil(3 * max(1.0, cluster.vrrp.advert_interval)) + 0.5


def programs(cluster: Cluster, node: Node) -> list[Raw]:
    """The three programs, as shell commands. They change nothing."""
    took = seconds(cluster)
    network = cluster.vrrp.network
    own = node.addresses[network]
    peers = (
        [group(own)] if cluster.vrrp.mode == "multicast" else [each.addresses[network] for each in cluster.peers(node)]
    )
    vips = [word for vip in cluster.vips for word in (node.interfaces[vip.network], vip.ip)]
    return [
        _bounded(took, LISTEN, took),
        _bounded(took, SEND, took - 0.5, node.interfaces[network], own, *peers),
        _bounded(took, FIND, 2, *vips),
    ]


def group(own: Address) -> Address:
    """The multicast group of VRRP in the family of an address (RFC 5798, 5.1.1.2 and 5.1.2.2)."""
    return ip_address("224.0.0.18" if own.version == 4 else "ff02::12")


def _bounded(took: float, program: str, *arguments: object) -> Raw:
    """Runs a program with a time limit, and prints its exit status."""
    run = cmd("timeout", took + MARGIN, "perl", "-e", remote_text(FILES[program]), *arguments)
    return Raw(f'{run}\necho "ended {program} $?"')


def read(text: str) -> Heard:
    """Parse what the three programs printed. What can't be parsed is skipped, and no text makes it raise."""
    lines = text.splitlines()
    through = (source for _, source in _found(r"through (\d{1,3}) (\S+)", lines))
    return Heard(
        adverts=frozenset(Advert(int(number), source, name) for number, source, name in _adverts(lines)),
        through=frozenset(source for each in through for source in _address(each)),
        claims=frozenset(
            Claim(ip, mac, name)
            for text, mac, name in _found(r"has (\S+) ([0-9a-f:]{17}) (\S+)", lines)
            for ip in _address(text)
        ),
        unsent={ip: why for text, why in _found(r"unsent (\S+) (.+)", lines) for ip in _address(text)},
        done=frozenset(name for (name,) in _found(r"done (\S+)", lines)),
        ended={name: int(status) for name, status in _found(r"ended (\S+) ([0-9]{1,3})", lines)},
    )


def _adverts(lines: Iterable[str]) -> Iterator[tuple[str, Address, str]]:
    for number, text, name in _found(r"(\d{1,3}) (\S+) (\S+)", lines):
        for source in _address(text):
            yield number, source, name


def _found(pattern: str, lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    matched = re.compile(pattern).fullmatch
    return (found.groups() for line in lines if (found := matched(line)))


def _address(text: str) -> Iterator[Address]:
    with suppress(ValueError):
        yield ip_address(text)
