"""The VRRP instances that a node's keepalived.conf has. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_interface

from lbdeploy.config.model import Address, Interface
from lbdeploy.node.parsers import Link
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry

VIP_BLOCKS = ("virtual_ipaddress", "virtual_ipaddress_excluded")


@dataclass(frozen=True, slots=True)
class HandMadeVip:
    """A VIP of an instance, and the interface that it is on."""

    address: Interface
    interface: str


@dataclass(frozen=True, slots=True)
class HandMade:
    """A vrrp_instance; keepalived's defaults where it says nothing. `together`: the vrrp_sync_group that it is in.

    Where it names no interface, its adverts are on `adverts`, and VIPs without one of their own on `default`; "" for
    one that nothing says.
    """

    entry: ConfEntry
    together: ConfEntry | None = None
    adverts: str = ""
    default: str = ""

    @property
    def with_group(self) -> ConfEntry:
        """The instance as if it tracked and told itself what its sync group does; its own lines count before these."""
        shared = (self.together.block if self.together else None) or ()
        return replace(self.entry, block=(*shared, *(self.entry.block or ())))

    @property
    def name(self) -> str:
        return self.entry.value

    @property
    def interface(self) -> str:
        return self.entry.get("interface") or self.adverts

    @property
    def router_id(self) -> int:
        return number(self.entry.get("virtual_router_id"), 1, 255) or 0

    @property
    def priority(self) -> int:
        return number(self.entry.get("priority"), 1, 255) or 100

    @property
    def vips(self) -> tuple[HandMadeVip, ...]:
        lines = (line for line in self.entry.inside(*VIP_BLOCKS) if line.block is None)
        interface = self.entry.get("interface") or self.default
        return tuple(each for line in lines if (each := vip_of(line, interface)))

    @property
    def source(self) -> Address | None:
        """The address that its adverts come from, where it is given."""
        return address(self.entry.get("unicast_src_ip") or self.entry.get("mcast_src_ip") or "")

    @property
    def peers(self) -> tuple[Address, ...]:
        found = (address(line.key) for line in self.entry.inside("unicast_peer"))
        return tuple(each for each in found if each)

    @property
    def tracked(self) -> dict[str, ConfEntry]:
        """The scripts that it tracks: the line of each, which may have a weight of its own."""
        return {line.key: line for line in self.with_group.inside("track_script")}


def instances(entries: Sequence[ConfEntry], links: Sequence[Link]) -> list[HandMade]:
    """Those that have a VIP, on a node with these links."""
    every = [each for each in entries if each.key == "vrrp_instance" and each.block is not None]
    default = _default_interface(entries, links)
    found = [HandMade(each, _sync_group(entries, each.value), default=default) for each in every]
    return [replace(each, adverts=_adverts_on(each, links)) for each in found if each.vips]


def _default_interface(entries: Sequence[ConfEntry], links: Sequence[Link]) -> str:
    """default_interface of global_defs: eth0, if there is one, where it says nothing. See keepalived.conf(5)."""
    given = [name for each in entries if each.key == "global_defs" and (name := each.get("default_interface"))]
    return given[-1] if given else next((each.name for each in links if each.name == "eth0"), "")


def _adverts_on(instance: HandMade, links: Sequence[Link]) -> str:
    """The interface of unicast adverts that the kernel chooses: that of their source, or on the way to a peer."""
    source, peers = instance.source, instance.peers
    of_source = (each.name for each in links if any(own.ip == source for own in each.addresses))
    to_peers = (each.name for each in links if any(peer in own.network for own in each.addresses for peer in peers))
    of_vips = (each.interface for each in instance.vips if each.interface)
    return next((name for name in (*of_source, *to_peers, instance.default, *of_vips) if name), "")


def _sync_group(entries: Sequence[ConfEntry], name: str) -> ConfEntry | None:
    groups = (each for each in entries if each.key == "vrrp_sync_group")
    return next((each for each in groups if any(name in line.words for line in each.inside("group"))), None)


def main(found: Sequence[HandMade], bound: Set[Address]) -> HandMade | None:
    """The instance that hosts.toml's own is made from: the one whose VIPs haproxy binds to, or that tracks a script."""
    ranked = sorted(found, key=lambda each: (not bound & {vip.address.ip for vip in each.vips}, not each.tracked))
    return ranked[0] if ranked else None


def same(found: Sequence[HandMade], as_: HandMade) -> HandMade | None:
    """Another node's part of an instance: by its virtual router ID, or else by a VIP."""
    vips = {vip.address.ip for vip in as_.vips}
    by_id = [each for each in found if each.router_id == as_.router_id]
    by_vip = [each for each in found if vips & {vip.address.ip for vip in each.vips}]
    return next(iter([*by_id, *by_vip]), None)


def vip_of(line: ConfEntry, interface: str) -> HandMadeVip | None:
    """The VIP of a line such as `192.168.0.10/24 dev ens33`; without a prefix length, it is a host's route alone.

    None for what hosts.toml can't have: any other word, or a link-local address of IPv6.
    """
    with suppress(ValueError):
        found = ip_interface(line.key)
        if is_link_local(found.ip):
            return None
        after = line.words[line.words.index("dev") + 1 :] if "dev" in line.words else ()
        return HandMadeVip(found, after[0] if after else interface)
    return None


def is_link_local(found: Address | None) -> bool:
    """Whether an address is IPv6's of a link alone: neither haproxy, SSH nor VRRP is told which link."""
    return found is not None and found.version == 6 and found.is_link_local


def address(text: str) -> Address | None:
    """The address of a word, which may have a prefix length; None for any other word."""
    with suppress(ValueError):
        return ip_address(text.partition("/")[0])
    return None


def number(text: str | None, least: int, most: int) -> int | None:
    """A whole number within these bounds; None for anything else."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        return None
    return int(text) if least <= int(text) <= most else None
