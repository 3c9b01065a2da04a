"""Nodes that lack their own addresses, or have them behind a VIP."""

from __future__ import annotations

from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.health.addresses import own
from lbdeploy.health.finding import Finding
from lbdeploy.health.fitness import unable
from lbdeploy.health.state import ClusterState
from lbdeploy.node.observation import NodeProbeScript
from lbdeploy.node.parsers import parse_ip_a

HOLDER = """\
2: ens33: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500
    inet 192.168.0.11/24 brd 192.168.0.255 scope global ens33
    inet 192.168.0.10/24 scope global secondary ens33
3: ens32: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500
    inet 192.168.1.11/24 brd 192.168.1.255 scope global ens32
    inet 192.168.1.10/24 scope global secondary ens32
"""
GONE = HOLDER.replace("    inet 192.168.1.11/24 brd 192.168.1.255 scope global ens32\n", "").replace(
    "192.168.1.10/24 scope global secondary", "192.168.1.10/24 scope global"
)
BACK = GONE + "    inet 192.168.1.11/24 scope global secondary ens32\n"


def told(seed: Cluster, ip_a: str) -> Finding:
    """What is said of lb1 with these addresses."""
    (found,) = own(ClusterState(seed, [observe(seed, seed.node("lb1"), links=parse_ip_a(ip_a))]))
    return found


def test_a_node_with_its_addresses_is_well(seed: Cluster) -> None:
    """The VIPs are secondary to its own addresses, as they should be."""
    found = told(seed, HOLDER)
    assert (found.ok, found.check, found.detail) == (True, "address", "has its own addresses")


def test_a_missing_address_is_an_error_with_what_to_type(seed: Cluster) -> None:
    """Without that of VRRP's network, it can't hold the VIPs; without another one, it can."""
    found = told(seed, GONE)
    assert found.is_error
    assert found.detail == "ens32 does not have its own address 192.168.1.11: it can't hold the VIPs without it"
    assert str(found.fix).startswith("there: ip address add 192.168.1.11/24 dev ens32; ")
    found = told(seed, HOLDER.replace("192.168.0.11", "192.168.0.99"))
    assert (found.is_error, found.detail) == (True, "ens33 does not have its own address 192.168.0.11")


def test_an_address_on_another_interface_is_a_warning_but_for_vrrps(seed: Cluster) -> None:
    """Clients come to the VIPs, wherever they are; adverts are sent from the address on VRRP's own interface."""
    found = told(seed, HOLDER.replace("ens33", "bond0"))
    assert found.is_warning
    assert found.detail == "its own address 192.168.0.11 is on bond0, not on ens33"
    assert told(seed, HOLDER.replace("ens32", "bond1")).is_error


def test_an_address_behind_a_vip_is_a_warning(seed: Cluster) -> None:
    """It came back after the VIP; one that is behind another address of the node's is no news."""
    found = told(seed, BACK)
    assert found.is_warning
    assert found.detail.startswith("its own address 192.168.1.11 is secondary to the VIP 192.168.1.10: it connects")
    assert "lbdeploy handover --back" in str(found.fix)
    found = told(seed, BACK.replace("inet 192.168.1.10/24", "inet 192.168.1.77/24"))
    assert found.ok


def test_a_node_without_its_address_can_not_take_over(seed: Cluster) -> None:
    """So its peer is not changed meanwhile."""
    lost = observe(seed, seed.node("lb2"), lost_address=seed.node("lb2").addresses["management"])
    assert unable(lost) == "its own address 192.168.1.12 is missing there"


def test_only_the_address_of_vrrp_is_needed_to_hold_vips(seed: Cluster) -> None:
    """It is looked for on its own interface."""
    script = NodeProbeScript(seed, seed.node("lb1"), [])

    def lost(ip_a: str) -> object:
        said = {**dict.fromkeys(script.probes, ""), "now": "1", "ip a": ip_a}
        output = "".join(
            f"{script.nonce} begin {index}\n{said[name]}\n{script.nonce} end 0\n"
            for index, name in enumerate(script.probes)
        )
        return script.read(output).lost_address

    assert lost(HOLDER) is None
    assert lost(HOLDER.replace("192.168.0.11", "192.168.0.99")) is None
    assert lost(GONE) == seed.node("lb1").addresses["management"]
