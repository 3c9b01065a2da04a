"""The networks of hosts.toml, from the VIPs and from the addresses that the nodes have. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lbdeploy.config.model import Address, Interface
from lbdeploy.node.parsers import Link
from lbdeploy.operations.adopt.keepalived.instances import HandMade, is_link_local


@dataclass(slots=True)
class FoundNetwork:
    """A network: by node, the interface and the node's own address there; and the VIPs on it."""

    interfaces: dict[str, str]
    addresses: dict[str, Address]
    vips: list[Interface] = field(default_factory=list)

    @property
    def interface(self) -> str:
        """The name that the interface has on most nodes."""
        return Counter(self.interfaces.values()).most_common(1)[0][0]


@dataclass(frozen=True, slots=True)
class NodeSide:
    """What a node has: its links, all instances, the one that hosts.toml is made from."""

    links: Sequence[Link]
    all: Sequence[HandMade]
    main: HandMade


class UnplacedError(Exception):
    """A node does not say where something is, or has no address of its own there: `node`, and the `fix`."""

    def __init__(self, node: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.node = node
        self.fix = fix


def found_networks(sides: Mapping[str, NodeSide]) -> list[FoundNetwork]:
    """The networks; the first is that of VRRP. Raises UnplacedError."""
    vips = {vip.address.ip for side in sides.values() for each in side.all for vip in each.vips}
    found = [_vrrp_place(sides, vips)]
    for vip in _vips(sides):
        _put(found, vip, sides, vips)
    return found


def named(found: Sequence[FoundNetwork]) -> dict[str, FoundNetwork]:
    """The networks by name, as `init` names them; VRRP's is the last one."""
    vrrp, *others = found
    names = {("external" if index == 0 else f"network{index + 1}"): place for index, place in enumerate(others)}
    return {**names, ("management" if others else "lan"): vrrp}


def _vips(sides: Mapping[str, NodeSide]) -> list[Interface]:
    """Every VIP once; the longest prefix length of a VIP that nodes write differently counts as little as the first."""
    found: dict[Address, Interface] = {}
    for side in sides.values():
        for each in [side.main, *(each for each in side.all if each is not side.main)]:
            for vip in each.vips:
                found.setdefault(vip.address.ip, vip.address)
    return list(found.values())


def _vrrp_place(sides: Mapping[str, NodeSide], vips: set[Address]) -> FoundNetwork:
    interfaces = {name: side.main.interface for name, side in sides.items()}
    for name in (each for each, interface in interfaces.items() if not interface):
        instance = f"vrrp_instance {sides[name].main.name}"
        message = f"{instance} names no interface, nor do unicast_src_ip, a peer, default_interface or a VIP tell which"
        raise UnplacedError(name, message, f"write interface INTERFACE into {instance} on {name}; then lbdeploy adopt")
    addresses = {name: _source(side) or _primary(name, side, vips) for name, side in sides.items()}
    return FoundNetwork(interfaces, addresses)


def _source(side: NodeSide) -> Address | None:
    """The address that adverts come from, where it is given, and hosts.toml can have it."""
    return None if is_link_local(side.main.source) else side.main.source


def _no_address(node: str, interface: str, vip: Address) -> UnplacedError:
    fix = f"give the node an address on {interface}, which hosts.toml needs"
    return UnplacedError(node, f"{node} has no address of its own on {interface} for {vip}", fix)


def _primary(name: str, side: NodeSide, vips: set[Address]) -> Address:
    """The address that keepalived sends from: the first of the interface, in the family of the VIPs."""
    version = side.main.vips[0].address.version
    own = [each.ip for each in _own(side.links, side.main.interface, vips) if each.version == version]
    if not own:
        raise _no_address(name, side.main.interface, side.main.vips[0].address.ip)
    return own[0]


def _own(links: Sequence[Link], interface: str, vips: set[Address]) -> list[Interface]:
    """A node's own addresses on an interface, the ones that another address of the same subnet precedes last."""
    link = next((each for each in links if each.name == interface), None)
    found = [each for each in link.addresses if each.ip not in vips and not each.ip.is_link_local] if link else []
    return sorted(found, key=lambda each: each.ip in link.secondary) if link else []


def _put(found: list[FoundNetwork], vip: Interface, sides: Mapping[str, NodeSide], vips: set[Address]) -> None:
    """Adds a VIP to the network that it is on, which may be a new one."""
    interfaces = {name: _interface(side, vip.ip) or _any_interface(sides, vip) for name, side in sides.items()}
    there = [each for each in found if each.interfaces == interfaces]
    fitting = [each for each in there if all(_fits(address, vip, each) for address in each.addresses.values())]
    if not fitting:
        own = {name: _own(side.links, interfaces[name], vips) for name, side in sides.items()}
        addresses = {name: next((a.ip for a in each if _covers(a, vip)), None) for name, each in own.items()}
        missing = next((name for name, each in addresses.items() if each is None), None)
        if missing is None:
            fitting = [FoundNetwork(interfaces, {name: each for name, each in addresses.items() if each})]
            found += fitting
        elif there:
            fitting = there  # keepalived needs no address in the VIP's subnet; hosts.toml says if it minds
        else:
            raise _no_address(missing, interfaces[missing], vip.ip)
    fitting[0].vips.append(vip)


def _fits(address: Address, vip: Interface, place: FoundNetwork) -> bool:
    """Whether a VIP may be on the network of a node's address: in its subnet, of another family, or a route alone."""
    return address.version != vip.version or address in vip.network or vip.network.prefixlen == vip.max_prefixlen


def _covers(own: Interface, vip: Interface) -> bool:
    return own.version == vip.version and (
        own.ip in vip.network or vip.ip in own.network or vip.network.prefixlen == vip.max_prefixlen
    )


def _interface(side: NodeSide, vip: Address) -> str:
    found = [each.interface for instance in side.all for each in instance.vips if each.address.ip == vip]
    return found[0] if found else ""


def _any_interface(sides: Mapping[str, NodeSide], vip: Interface) -> str:
    """For a node whose file lacks the VIP, or its interface: the one that it is on elsewhere."""
    found = next((name for side in sides.values() if (name := _interface(side, vip.ip))), "")
    if not found:
        message = f"VIP {vip} is on no interface that is named: neither dev, interface nor default_interface says one"
        node = next(iter(sides))
        raise UnplacedError(node, message, f"write {vip} dev INTERFACE on {node}; then lbdeploy adopt")
    return found
