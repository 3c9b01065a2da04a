"""How a lab's nodes are wired."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.lab.host.paths import Place
from lbdeploy.lab.machine.topology import Cable, Host, topology
from lbdeploy.lab.machine.wiring import wire_script

SEED = Path(__file__).parents[4] / "hosts.toml"


@pytest.fixture
def cluster() -> Cluster:
    return reader.load(SEED)


def test_a_node_is_wired_with_its_own_interface_names(cluster: Cluster) -> None:
    script = wire_script(Place("x-000000"), topology(cluster).find("lb1"))
    assert "name ens33 address 02:" in script
    assert "\naddress add 192.168.0.11/24 dev ens33 broadcast +\n" in script
    assert "\naddress add 192.168.1.11/24 dev ens32 broadcast +\n" in script
    assert "netns lbdeploy-x-000000:lb1\n" in script
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_neighbours_without_a_common_prefix_get_routes_on_the_link() -> None:
    cable = Cable(0, "p1", "eth0", (), (ip_address("10.0.0.1"), ip_address("fd00::1")))
    script = wire_script(Place("x-000000"), Host("s", "server", (cable,)))
    assert "\nroute add 10.0.0.1/32 dev eth0\nroute add fd00::1/128 dev eth0\n" in script


def test_a_mac_does_not_change_with_the_lab_or_its_other_hosts(cluster: Cluster) -> None:
    lb1 = topology(cluster).find("lb1")
    one, other = (wire_script(Place(name), lb1).replace(name, "") for name in ("x-000000", "y-111111"))
    assert one == other
