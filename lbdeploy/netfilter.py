"""What a node's packet filter does with one packet, as far as its rules tell. Pure.

`nft` and `iptables` read rules into these chains, each rule with whether it fits the packet in question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

from lbdeploy.model import Address

ACCEPT, DROP = "accept", "drop"
NEXT, END = "next", "end"  # goes on with the next rule; comes out of the chain's end

Fits = bool | None  # None: it depends on what can't be known here, such as who the client is


@dataclass(frozen=True, slots=True)
class Packet:
    """The first one of a connection, or an advert. `source` None: of any client; `port` None: it has no ports."""

    protocol: str
    target: Address
    source: Address | None = None
    port: int | None = None

    @property
    def version(self) -> int:
        return self.target.version


@dataclass(frozen=True, slots=True)
class Rule:
    """`verdict`: accept, drop, return, jump or goto (to `chain`); anything else lets a packet go on."""

    fits: Fits
    verdict: str
    chain: str = ""


@dataclass(slots=True)
class Chain:
    """Its rules in their order; `hook` and `policy` of those that packets come to by themselves."""

    name: str
    hook: str = ""
    policy: str = ACCEPT
    rules: list[Rule] = field(default_factory=list)


def fates(chain: Chain, chains: Mapping[str, Chain]) -> frozenset[str]:
    """What may become of the packet in a chain with a hook: accept, drop, or either."""
    found = _Walk(chains).through(chain.name)
    return found - {END} | ({chain.policy} if END in found else set())


class _Walk:
    """Through chains that jump to each other. The kernel lets none jump to itself; text may."""

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
            its = self._of(rule)
            found |= its - {NEXT}
            if rule.fits and NEXT not in its:
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
    """Whether all of it fits."""
    found = set(fits)
    return False if False in found else None if None in found else True


def some(fits: Iterable[Fits]) -> Fits:
    """Whether any of it fits."""
    found = set(fits)
    return True if True in found else None if None in found else False


def inverted(fits: Fits) -> Fits:
    """Whether the opposite fits."""
    return None if fits is None else not fits


def of_address(wanted: str, known: Address | None) -> Fits:
    """Whether an address is this one or in this network; that of any client is not one host's, but may be in one."""
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
