"""On which VIPs a section of a haproxy.cfg listens, and how a frontend of hosts.toml says so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from lbdeploy.operations.adopt.haproxy.proxies import ANY, Proxy
from lbdeploy.operations.adopt.networks import FoundNetwork, named


@dataclass(frozen=True, slots=True)
class Places:
    """The VIPs of each network that has some and, where there are any, of each group of VIPs."""

    networks: Mapping[str, Set[str]]
    groups: Mapping[str, Set[str]]

    @property
    def vips(self) -> set[str]:
        return {vip for each in self.networks.values() for vip in each}

    def reached(self, proxy: Proxy, beside: Iterable[Proxy]) -> dict[int, Set[str]]:
        """By port, the VIPs on which a section listens: of two, the one that names an address has it."""
        found: dict[int, Set[str]] = {}
        others = {(end.address, end.port) for each in beside if each is not proxy for end in each.endpoints}
        for port in dict.fromkeys(each.port for each in proxy.endpoints):
            named_here = {each.address for each in proxy.endpoints if each.port == port}
            wide = {vip for vip in self.vips if (vip, port) not in others} if ANY in named_here else set()
            if vips := (named_here & self.vips) | wide:
                found[port] = vips
        return found

    def keys(self, vips: Set[str]) -> dict[str, list[str]] | None:
        """The key of a frontend on these VIPs, which has none where it is on all. None: no key can say it."""
        if vips == self.vips:
            return {}
        for key, sets in (("groups", self.groups), ("networks", self.networks)):
            names = [name for name, there in sets.items() if there <= vips]
            if {vip for name in names for vip in sets[name]} == vips:
                return {key: names}
        return None


def placed(
    found: Sequence[FoundNetwork], groups: Mapping[str, Set[str]], sections: Sequence[Sequence[Proxy]]
) -> tuple[dict[str, FoundNetwork], Places]:
    """The networks by name, VRRP's as the last one, and the places; `sections`: what listens on each node.

    A network is as many as there are sets of VIPs with sections of their own, if frontends can't say otherwise on which
    of them they are: a network may have the interface and the addresses of another one.
    """
    networks = named(found)
    places = Places(_vips(networks), groups)
    reached = [places.reached(proxy, of_node) for of_node in sections for proxy in of_node if not proxy.why]
    if any(places.keys(vips) is None for each in reached for vips in each.values()):
        networks = named([part for each in found for part in _parts(each, reached)])
        places = Places(_vips(networks), groups)
    return networks, places


def _vips(networks: Mapping[str, FoundNetwork]) -> dict[str, Set[str]]:
    return {name: {str(vip.ip) for vip in place.vips} for name, place in networks.items() if place.vips}


def _parts(network: FoundNetwork, reached: Sequence[Mapping[int, Set[str]]]) -> list[FoundNetwork]:
    """The network, its VIPs divided by the sections that listen on them; the first VIP stays in the first."""
    by_sections: dict[tuple[object, ...], FoundNetwork] = {}
    for vip in network.vips:
        of = tuple((index, port) for index, each in enumerate(reached) for port in each if str(vip.ip) in each[port])
        by_sections.setdefault(of, replace(network, vips=[])).vips.append(vip)
    return list(by_sections.values()) or [network]
