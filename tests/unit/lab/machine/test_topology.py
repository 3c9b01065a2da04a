"""Which hosts, cables, addresses and routes the lab has, for any hosts.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LabError
from lbdeploy.lab.machine.topology import Host, LabTopology, topology

SEED = Path(__file__).parents[4] / "hosts.toml"

ODD = """
[cluster]
name = "odd"
[networks.front]
interface = "ens33"
vip = ["192.168.0.10/24", "fd00:1::10/64", "203.0.113.5/32"]
[networks.back]
interface = "ens32"
vip = "10.9.0.2/29"
[networks.more]
interface = "ens32"
[nodes.lb1]
front = "192.168.0.11"
back = "10.9.0.3"
more = "172.16.5.1"
priority = 200
interfaces = { front = "enp1s0" }
[nodes.lb2]
front = "192.168.0.12"
back = "10.9.0.4"
more = "172.16.6.2"
priority = 100
[vrrp]
network = "back"
router_id = 1
[frontends.api]
port = 6443
[frontends.api.servers]
one = "10.9.0.1"
two = "10.9.0.5"
three = "10.9.0.6"
far = "10.77.0.1:7443"
six = "[fd00:1::21]:6443"
client = "10.77.0.2"
[frontends.web]
port = 443
[frontends.web.servers]
one = "10.9.0.1"
far = "10.77.0.9"
"""


def load(path: Path, text: str) -> Cluster:
    (path / "hosts.toml").write_text(text)
    return reader.load(path / "hosts.toml")


@pytest.fixture
def odd(tmp_path: Path) -> LabTopology:
    return topology(load(tmp_path, ODD))


def ends(host: Host) -> dict[str, list[str]]:
    return {cable.interface: [str(address) for address in cable.addresses] for cable in host.cables}


def routes(host: Host) -> set[str]:
    return {str(route) for cable in host.cables for route in cable.routes}


def test_the_sample_file_becomes_two_nodes_three_servers_and_two_guests() -> None:
    plan = topology(reader.load(SEED))
    assert plan.segments == (("external",), ("management",))
    assert [host.name for host in plan.hosts] == ["lb1", "lb2", "master1", "master2", "master3", "client", "operator"]
    assert ends(plan.find("lb1")) == {"ens33": ["192.168.0.11/24"], "ens32": ["192.168.1.11/24"]}
    assert ends(plan.find("master2")) == {"eth0": ["192.168.1.22/24"]}
    assert ends(plan.find("client")) == {"eth0": ["192.168.0.254/24"], "eth1": ["192.168.1.254/24"]}
    assert all(routes(host) == set() for host in plan.hosts)


def test_networks_that_share_an_interface_share_a_segment(odd: LabTopology) -> None:
    assert odd.segments == (("front",), ("back", "more"))
    assert ends(odd.find("lb1")) == {"enp1s0": ["192.168.0.11/24"], "ens32": ["10.9.0.3/29", "172.16.5.1/24"]}


def test_a_server_has_one_namespace_for_all_ports_of_its_address(odd: LabTopology) -> None:
    one = odd.find("one")
    assert one.ports == (443, 6443)
    assert odd.find("10.9.0.1") == odd.find("web/one") == one


def test_server_names_that_are_taken_are_told_apart(odd: LabTopology) -> None:
    assert [host.name for host in odd.of("server")] == ["one", "two", "three", "far", "six", "api-client", "web-far"]
    assert odd.find("client").kind == "client"
    assert odd.find("api/client").name == "api-client"
    with pytest.raises(LabError, match="no host"):
        odd.find("nobody")


def test_a_server_outside_every_network_has_routes_both_ways(odd: LabTopology) -> None:
    far = odd.find("far")
    assert ends(far) == {"eth0": ["10.77.0.1/32"]}
    assert {"10.9.0.3", "10.9.0.4", "10.9.0.2"} <= routes(far)
    assert all("10.77.0.1" in routes(host) for host in odd.of("node", "client", "operator"))


def test_a_full_subnet_lends_the_guests_spare_addresses(odd: LabTopology) -> None:
    assert ends(odd.find("client"))["eth1"] == ["198.18.0.1/32", "172.16.5.254/24", "172.16.6.254/24"]
    assert ends(odd.find("operator"))["eth1"][0] == "198.18.0.2/32"
    assert {"198.18.0.1", "198.18.0.2"} <= routes(odd.find("lb1"))


def test_a_vip_with_a_prefix_of_32_is_on_the_link(odd: LabTopology) -> None:
    assert "203.0.113.5" in routes(odd.find("client"))
    assert "203.0.113.5" not in routes(odd.find("lb1"))


def test_ipv6_needs_no_address_on_the_node(odd: LabTopology) -> None:
    assert ends(odd.find("six")) == {"eth0": ["fd00:1::21/64"]}
    assert "fd00:1::21" in routes(odd.find("lb1"))
    assert "fd00:1::ffff:ffff:ffff:ffff/64" in ends(odd.find("client"))["eth0"]


def test_no_address_is_given_twice(odd: LabTopology) -> None:
    addresses = [address for host in odd.hosts for address in host.addresses]
    assert len(addresses) == len(set(addresses))


def test_ports_stay_the_same_when_other_hosts_come(tmp_path: Path) -> None:
    before = topology(load(tmp_path, ODD))
    after = topology(load(tmp_path, ODD.replace('one = "10.9.0.1"', 'new = "10.77.5.5"\none = "10.9.0.1"', 1)))
    for name in ("lb1", "one", "client"):
        assert [cable.port for cable in before.find(name).cables] == [cable.port for cable in after.find(name).cables]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = ODD.replace('two = "10.9.0.5"', 'two = "169.254.7.7"').replace("[nodes.lb2]", "[nodes.operator]")
    with pytest.raises(LabError, match=r"server two of api has the link's own address 169\.254\.7\.7") as caught:
        topology(load(tmp_path, text))
    assert "node operator has the name of another part of the lab" in caught.value.message


def test_a_server_at_a_nodes_address_runs_on_that_node(tmp_path: Path) -> None:
    """It is in the node's network, behind its cable, and no machine of its own; the node keeps its name."""
    text = ODD.replace('two = "10.9.0.5"', 'lb1 = "10.9.0.3:7443"\ntwo = "192.168.0.12:7443"')
    plan = topology(load(tmp_path, text))
    server = plan.find("api/lb1")
    assert (server.name, server.node, server.network, server.ports) == ("api-lb1", "lb1", "lb1", (7443,))
    assert ends(server) == {"ens32": ["10.9.0.3/29"]}
    assert [each.port for each in server.cables] == [each.port for each in plan.find("lb1").cables[1:]]
    assert [each.name for each in plan.on(plan.find("lb1"))] == ["api-lb1"]
    assert [each.name for each in plan.on(plan.find("lb2"))] == ["two"]
    assert plan.find("one").network == "one"


def test_a_node_has_an_address_once_that_is_for_several_networks(tmp_path: Path) -> None:
    """ip(8) would refuse the second, and the node would not boot."""
    text = ODD.replace('more = "172.16.5.1"', 'more = "10.9.0.3"').replace('more = "172.16.6.2"', 'more = "10.9.0.4"')
    assert ends(topology(load(tmp_path, text)).find("lb1"))["ens32"] == ["10.9.0.3/29"]


def test_a_cable_is_found_by_its_network(odd: LabTopology) -> None:
    lb1 = odd.find("lb1")
    assert [cable.interface for cable in odd.cables(lb1, "more")] == ["ens32"]
    assert len(odd.cables(lb1, None)) == 2
    with pytest.raises(LabError, match="no cable to a network front"):
        odd.cables(odd.find("far"), "front")
