"""Whether nodes have their own addresses, as the primary ones of their subnets: a VIP may be primary instead. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Address, Cluster, Node
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.node.observation import Observation


def own(state: ClusterState) -> Iterator[Finding]:
    """Whether each node has its addresses of hosts.toml. Without that of VRRP's network it hears no peer."""
    for each in state.observations:
        found = [*_missing(state.cluster, each), *secondary(state.cluster, each)]
        yield from found or [Finding.passed(each.node.name, "address", "has its own addresses")]


def _missing(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    node = observation.node
    for network, interface in node.interfaces.items():
        address = node.addresses[network]
        if interface in observation.holds(address):
            continue
        elsewhere = observation.holds(address)
        if elsewhere and network != cluster.vrrp.network:  # no advert is sent from there, and clients come to the VIPs
            yield _on_another(node, interface, address, elsewhere)
            continue
        cost = ": it can't hold the VIPs without it" if network == cluster.vrrp.network else ""
        back = f"ip address add {address}/{_prefix(cluster, network, address)} dev {interface}"
        fix = f"there: {back}; then see what took it away: {LOGS}"
        detail = f"{interface} does not have its own address {address}{cost}"
        yield Finding.failed(node.name, "address", detail, fix, subject=str(address))


def _on_another(node: Node, interface: str, address: Address, elsewhere: Sequence[str]) -> Finding:
    detail = f"its own address {address} is on {', '.join(elsewhere)}, not on {interface}"
    fix = f"correct the network's interface in hosts.toml, or move the address to {interface} there"
    return Finding.warning(node.name, "address", detail, fix, subject=str(address))


LOGS = "journalctl -u systemd-networkd -u networking -u NetworkManager -n 20"


def secondary(cluster: Cluster, observation: Observation) -> Iterator[Finding]:
    """Addresses of the node that are secondary to a VIP: they were gone for a moment, while the node held the VIP.

    What the node sends to that subnet then comes from the VIP. Both go only when they are told to: promote_secondaries.
    """
    node = observation.node
    for network, address in node.addresses.items():
        if vip := _primary(cluster, observation, network, address):
            detail = f"its own address {address} is secondary to the VIP {vip}: it connects to others as {vip}"
            fix = typed("handover", after=", then lbdeploy handover --back: its own address comes first again")
            yield Finding.warning(node.name, "address", detail, fix, subject=str(address))


def _prefix(cluster: Cluster, network: str, address: Address) -> int | str:
    """The prefix length that the node's address is likely to have: that of a VIP in whose subnet it is."""
    near = (vip.network for vip in cluster.networks[network].vips if address in vip.network)
    return next((subnet.prefixlen for subnet in near), "PREFIX")


def _primary(cluster: Cluster, observation: Observation, network: str, address: Address) -> Address | None:
    """The VIP that is the primary address of the subnet in which this one is secondary, if that is a VIP."""
    link = next((each for each in observation.links if each.name == observation.node.interfaces[network]), None)
    if link is None or address not in link.secondary:
        return None
    subnets = [each.network for each in link.addresses if each.ip == address]
    first = [each.ip for each in link.addresses if each.network in subnets and each.ip not in link.secondary]
    return next((vip.ip for vip in cluster.vips if vip.ip in first), None)
