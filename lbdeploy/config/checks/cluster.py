"""What must hold between the tables of hosts.toml.

Works on whatever is well-formed in each, so that one mistake does not hide another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lbdeploy.config.checks.frontends import check_frontends
from lbdeploy.config.checks.groups import check_groups
from lbdeploy.config.checks.tables import Tables
from lbdeploy.config.keys import is_near, near
from lbdeploy.config.model import Address, Interface
from lbdeploy.config.schema import (
    ClusterTable,
    HaproxyTable,
    NetworkTable,
    NodeTable,
    PackagesTable,
    VrrpTable,
)
from lbdeploy.errors import Problem, key_text

Interfaces = dict[tuple[str, str], str]
NO_ADDRESS, NO_VIP = "no-address", "no-vip"  # ids of rules that `init` knows, since their answers come last


def check(tables: Tables) -> Iterator[Problem]:
    """Every disagreement between the tables."""
    networks = tables.names("networks")
    yield from _node_keys(tables.written("nodes"), networks)
    yield from _vrrp_network(tables.single("vrrp", "network"), networks)
    yield from _some_vip(tables)
    yield from _network_names(networks)
    yield from _vips(tables.named("networks", "vip"))
    yield from _enough_nodes(tables.names("nodes"))
    yield from _priorities(tables.named("nodes", "priority"))
    yield from _addresses(tables.named("nodes"), tables.named("networks", "vip"), _interfaces(tables))
    yield from _families(tables)
    yield from _initial_state(tables.single("vrrp", "initial_state", "preempt"))
    yield from _advert_interval(tables.single("vrrp", "advert_interval"))
    yield from check_groups(tables)
    yield from check_frontends(tables)
    yield from _firewall(tables.single("cluster", "firewall", "firewall_allow"))
    yield from _ports_between_nodes(tables)
    yield from _repositories(tables.single("packages"))


def _node_keys(nodes: dict[str, dict[str, Any]], networks: list[str]) -> Iterator[Problem]:
    known = [*networks, *NodeTable.model_fields]
    for name, node in nodes.items():
        for key in node:
            # Where there is no network at all, only that is told: each key that is not like another may be one of them.
            if key not in known and (networks or is_near(key, known)):
                from lbdeploy.config.mistakes.typos import where_to  # imported only for a file with a mistake

                yield Problem("unknown-key", ("nodes", name, key), "unknown key", where_to(key, known))
        for network in networks:
            if network not in node:
                message = f"has no address on network {key_text(network)}"
                yield Problem(NO_ADDRESS, ("nodes", name), message, f'add {key_text(network)} = "ADDRESS"')
        interfaces = node.get("interfaces")
        for key in interfaces if networks and isinstance(interfaces, dict) else ():
            if key not in networks:
                yield Problem("no-network", ("nodes", name, "interfaces", key), "is not a network", near(key, networks))


def _vrrp_network(vrrp: VrrpTable | None, networks: list[str]) -> Iterator[Problem]:
    if vrrp and networks and vrrp.network not in networks:
        message = f"{vrrp.network!r} is not a network of this file"
        yield Problem("no-network", ("vrrp", "network"), message, near(vrrp.network, networks))


def _some_vip(tables: Tables) -> Iterator[Problem]:
    if tables.complete("networks", "vip") and not any(network.vip for network in tables.named("networks").values()):
        yield Problem(NO_VIP, ("networks",), "no network has a VIP", 'add vip = "ADDRESS/PREFIX" to one')


def _network_names(networks: list[str]) -> Iterator[Problem]:
    for name in networks:
        if name in NodeTable.model_fields:
            message = "is a name that a node uses for something else"
            yield Problem("taken-name", ("networks", name), message, "choose another name")


def _vips(networks: dict[str, NetworkTable]) -> Iterator[Problem]:
    seen: dict[Address, str] = {}
    for name, network in networks.items():
        key = ("networks", name, "vip")
        for vip in network.vip:
            if vip.ip in seen:
                fix = f"it is on network {seen[vip.ip]} already"
                yield Problem("vip-twice", key, f"VIP {vip.ip} is given twice", fix)
            seen.setdefault(vip.ip, name)
            yield from (Problem("unusable-vip", key, *words) for words in _unusable(vip))


def _unusable(vip: Interface) -> Iterator[tuple[str, str]]:
    """Why an address can't be a VIP, and what could be one."""
    net = vip.network
    if vip.ip.is_loopback or vip.ip.is_multicast or vip.ip.is_unspecified or not net.prefixlen:
        yield f"{vip} can't be a VIP", "give a unicast address with the prefix length of its network"
    elif vip.version == 6 and vip.ip.is_link_local:
        yield f"{vip.ip} is link-local, and haproxy can't bind to it", "give an address of a wider scope"
    elif net.num_addresses > 2 and vip.ip in (net.network_address, net.broadcast_address) and vip.version == 4:
        yield f"{vip.ip} is the network or broadcast address of {net}", "give a host's address"


def _enough_nodes(nodes: list[str]) -> Iterator[Problem]:
    if len(nodes) == 1:
        yield Problem("one-node", ("nodes",), "at least two nodes are needed", "add a second [nodes.NAME] table")


def _priorities(nodes: dict[str, NodeTable]) -> Iterator[Problem]:
    seen: dict[int, str] = {}
    for name, node in nodes.items():
        if node.priority in seen:
            message = f"{node.priority} is already the priority of {seen[node.priority]}"
            fix = "give each node its own: the highest is the preferred MASTER"
            yield Problem("priority-twice", ("nodes", name, "priority"), message, fix)
        seen.setdefault(node.priority, name)


def _addresses(
    nodes: dict[str, NodeTable], networks: dict[str, NetworkTable], interfaces: Interfaces
) -> Iterator[Problem]:
    seen: dict[Address, str] = {vip.ip: f"VIP of network {n}" for n, net in networks.items() for vip in net.vip}
    sound = {name: network for name, network in networks.items() if not _doubtful(network, networks)}
    strange = {name: own for name, network in sound.items() if (own := _strangers(name, network, nodes))}
    for name, own in strange.items():
        vips = ", ".join(map(str, networks[name].vip))
        fix = f"write a VIP of the network of {own[0]}, or correct the prefix length"
        yield Problem("other-network", ("networks", name, "vip"), f"{vips}: no node has an address there", fix)
    for name, node in nodes.items():
        known: list[tuple[Address, str | None]] = []  # with its interface
        for network, address in node.__pydantic_extra__.items():
            key, interface = ("nodes", name, network), interfaces.get((name, network))
            others = [on for other, on in known if other == address]
            # Several networks of VIPs may be on one interface, on which the node needs no more than one address.
            if others and (interface in (None, *others) or None in others):
                continue
            known.append((address, interface))
            if address in seen:
                message = f"{address} is already the {seen[address]}"
                fix = f"give both networks the interface {others[0]}, or this one another address" if others else ""
                yield Problem("address-twice", key, message, fix or "give each node addresses of its own")
            seen.setdefault(address, f"address of node {name}")
            if address.version == 6 and address.is_link_local:
                message = f"{address} is link-local: it belongs to an interface, which neither SSH nor VRRP is told"
                yield Problem("link-local", key, message, "give an address of a wider scope")
            if network in sound and network not in strange:
                yield from (Problem("other-network", key, *words) for words in _outside(address, networks[network].vip))


def _doubtful(network: NetworkTable, networks: dict[str, NetworkTable]) -> bool:
    """Whether something is said of its VIPs already: addresses are no longer judged by them."""
    every = [vip.ip for each in networks.values() for vip in each.vip]
    return any([*_unusable(vip)] or every.count(vip.ip) > 1 for vip in network.vip)


def _only_on(network: str, node: NodeTable) -> list[Address]:
    """A node's address on a network, unless it is that on another one, too, where it is judged."""
    addresses = list(node.__pydantic_extra__.values())
    own = node.__pydantic_extra__.get(network)
    return [own] if own and addresses.count(own) == 1 else []


def _strangers(name: str, network: NetworkTable, nodes: dict[str, NodeTable]) -> list[Address]:
    """The nodes' addresses, if the VIP is the one that is elsewhere: several nodes have some, and none fits it."""
    own = [each for node in nodes.values() for each in _only_on(name, node)]
    return own if len(own) > 1 and all([*_outside(address, network.vip)] for address in own) else []


def _interfaces(tables: Tables) -> Interfaces:
    """The interfaces that are known, by node and network."""
    usual = tables.named("networks", "interface").items()
    nodes, networks = tables.named("nodes", "interfaces").items(), set(tables.names("networks"))
    sure = [node for node, table in nodes if networks.issuperset(table.interfaces)]
    found = {(node, name): network.interface for node in sure for name, network in usual}
    own = {(node, name): on for node, table in tables.named("nodes").items() for name, on in table.interfaces.items()}
    return found | own


def _outside(address: Address, vips: tuple[Interface, ...]) -> Iterator[tuple[str, str]]:
    """The problem of an address that is in none of the networks of the VIPs, with its remedy."""
    # A VIP may be a host route of its own (/32, /128); any other prefix is that of the network it floats on.
    nets = [v.network for v in vips if v.version == address.version and v.network.prefixlen < v.max_prefixlen]
    if nets and not any(address in net for net in nets):
        where = " or ".join(map(str, dict.fromkeys(nets)))
        yield f"{address} is not in {where}, the network of its VIP", "correct the address, or the VIP's prefix length"


def _families(tables: Tables) -> Iterator[Problem]:
    vrrp: VrrpTable | None = tables.single("vrrp", "network")
    if not vrrp:
        return
    nodes, networks = tables.named("nodes"), tables.named("networks")
    addresses = [node.__pydantic_extra__.get(vrrp.network) for node in nodes.values()]
    spoken = {address.version for address in addresses if address}
    vips = {vip.version for network in networks.values() for vip in network.vip}
    if len(spoken) > 1:
        message = f"mix IPv4 and IPv6 on {vrrp.network}, where VRRP speaks one"
        yield Problem("mixed-families", ("nodes",), message, "give all nodes one family there")
    elif spoken and vips and not spoken & vips and tables.complete("networks", "vip"):
        # keepalived refuses an instance whose adverts carry no VIP, and they carry those of their own family alone.
        (own,), (other,) = spoken, vips
        message = f"has VRRP speak IPv{own}, in which it can't move VIPs that are all IPv{other}"
        fix = f"name a network on which the nodes have IPv{other} addresses, or add an IPv{own} VIP"
        yield Problem("other-family", ("vrrp", "network"), message, fix)


def _initial_state(vrrp: VrrpTable | None) -> Iterator[Problem]:
    if vrrp and vrrp.initial_state == "MASTER" and not vrrp.preempt:
        message = 'is "MASTER", for which keepalived drops preempt = false'
        fix = 'leave it out: "auto" lets the priority elect'
        yield Problem("master-without-preempt", ("vrrp", "initial_state"), message, fix)


def _advert_interval(vrrp: VrrpTable | None) -> Iterator[Problem]:
    # RFC 5798 section 5.2.7: the interval travels as hundredths of a second.
    if vrrp and round(vrrp.advert_interval * 100, 6) % 1:
        message, fix = "has more than two decimals", "VRRP counts in hundredths of a second"
        yield Problem("decimals", ("vrrp", "advert_interval"), message, fix)


def _firewall(cluster: ClusterTable | None) -> Iterator[Problem]:
    if cluster and cluster.firewall_allow and cluster.firewall == "none":
        message, fix = "has no firewall to let them through", 'add firewall = "nftables"'
        yield Problem("no-firewall", ("cluster", "firewall_allow"), message, fix)


def _ports_between_nodes(tables: Tables) -> Iterator[Problem]:
    """A port on which more than the nodes are let in, or which something else has at their addresses."""
    haproxy: HaproxyTable | None = tables.single("haproxy", "peers_port", "status_port")
    if not haproxy and "haproxy" in tables.data:
        return
    haproxy = haproxy or HaproxyTable()  # type: ignore[call-arg]
    own = {haproxy.peers_port: "peers_port", haproxy.status_port: "status_port"}
    if len(own) < 2:
        yield Problem("peers-port", ("haproxy", "status_port"), "is peers_port, too", "give each its own port")
    frontends = tables.named("frontends", "port").items()
    taken: list[tuple[tuple[str, ...], int]] = [(("frontends", name, "port"), each.port) for name, each in frontends]
    taken += [((name, "port"), each.port) for name in ("metrics", "ssh") if (each := tables.single(name, "port"))]
    if cluster := tables.single("cluster"):
        taken += [(("cluster", "firewall_allow"), each) for each in cluster.firewall_allow]
    for key, port in (each for each in taken if each[1] in own):
        message = f"{port} is the port at which the nodes' haproxy talk to each other"
        yield Problem("peers-port", key, message, f"choose another one, or set {own[port]} in [haproxy]")


def _repositories(packages: PackagesTable | None) -> Iterator[Problem]:
    """sources.list(5): a suite that is a path, which ends in "/", has no components; any other has some."""
    for name, each in packages.repositories.items() if packages else ():
        key = ("packages", "repositories", name, "components")
        if each.suite.endswith("/") and each.components:
            message = f"suite {each.suite} is a path, which has no components"
            yield Problem("components-of-a-path", key, message, "leave components out")
        elif not each.suite.endswith("/") and not each.components:
            fix = 'add components = ["main"], or end the suite in "/" where it has none'
            yield Problem("missing", key, "is missing", fix)
