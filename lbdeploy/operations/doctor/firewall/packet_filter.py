"""What a node's packet filter does with one packet, as far as its rules tell. Pure.

`nftables` and `iptables` read rules into these chains, and note for each rule whether it matches the packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

from lbdeploy.config.model import Address

ACCEPT, DROP = "accept", "drop"
NEXT, END = "next", "end"  # continues with the next rule; leaves the chain at its end

Fits = bool | None  # None: unknown here, such as who the client is


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, or an advert. `source` None: any client; `port` None: it has no ports."""

    protocol: str
    target: Address
    source: Address | None = None
    port: int | None = None

    @property
    def version(self) -> int:
        return self.target.version


@dataclass(frozen=True, slots=True)
class Rule:
    """`verdict`: accept, drop, return, jump or goto (to `chain`); anything else continues with the next rule."""

    fits: Fits
    verdict: str
    chain: str = ""


@dataclass(slots=True)
class Chain:
    """A chain with its rules in order; a base chain also has a `hook` and a `policy`."""

    name: str
    hook: str = ""
    policy: str = ACCEPT
    rules: list[Rule] = field(default_factory=list)


def fates(chain: Chain, chains: Mapping[str, Chain]) -> frozenset[str]:
    """What may become of the packet in a base chain: accept, drop, or either."""
    found = _Walk(chains).through(chain.name)
    return found - {END} | ({chain.policy} if END in found else set())


class _Walk:
    """A walk through chains that jump to each other. The kernel allows no loops; the text may have some."""

    def __init__(self, chains: Mapping[str, Chain]) -> None:
        self._chains = chains
        self._known: dict[str, frozenset[str]] = {}

    def through(self, name: str) -> frozenset[str]:
        if name not in self._known:
            self._known[name] = frozenset({END})
            chain = self._chains.get(name)
            self._known[name] = self._along(chain.rules if chain else ())
        return self._known[name]

    def _along(self, rules: Iterable[Rule]) -> frozenset[str]:
        found: set[str] = set()
        for rule in rules:
            if rule.fits is False:
                continue
            fates = self._of(rule)
            found |= fates - {NEXT}
            if rule.fits and NEXT not in fates:
                return frozenset(found)
        return frozenset(found | {END})

    def _of(self, rule: Rule) -> frozenset[str]:
        match rule.verdict:
            case "jump":
                return frozenset(NEXT if each == END else each for each in self.through(rule.chain))
            case "goto":
                return self.through(rule.chain)
            case "return":
                return frozenset({END})
            case "accept" | "drop":
                return frozenset({rule.verdict})
            case _:
                return frozenset({NEXT})


def every(fits: Iterable[Fits]) -> Fits:
    """Whether all conditions match."""
    found = set(fits)
    return False if False in found else None if None in found else True


def some(fits: Iterable[Fits]) -> Fits:
    """Whether any condition matches."""
    found = set(fits)
    return True if True in found else None if None in found else False


def inverted(fits: Fits) -> Fits:
    """Whether the negated condition matches."""
    return None if fits is None else not fits


def of_address(wanted: str, known: Address | None) -> Fits:
    """Whether an address is this one or in this network; any client (None): False for a single host, else unknown."""
    network = _network(wanted)
    if network is None:
        return None
    if known is None:
        return False if network.num_addresses == 1 else None
    return known.version == network.version and known in network


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
