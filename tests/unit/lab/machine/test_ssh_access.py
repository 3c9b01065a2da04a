"""How ssh reaches a lab's nodes."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.lab.host import paths
from lbdeploy.lab.host.paths import Place
from lbdeploy.lab.machine import ssh_access

SEED = Path(__file__).parents[4] / "hosts.toml"


@pytest.fixture
def cluster() -> Cluster:
    return reader.load(SEED)


@pytest.fixture
def spot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    spot = Place("test-000000")
    spot.host("lb1").mkdir(parents=True)
    return spot


def test_ssh_finds_a_node_by_its_host_name_without_dns(cluster: Cluster, spot: Place) -> None:
    lb1 = dataclasses.replace(cluster.nodes[0], host="lb1.example.org")
    cluster = dataclasses.replace(cluster, nodes=(lb1, cluster.nodes[1]))
    ssh_access.write_config(spot, cluster)
    config = (spot.dir / "ssh_config").read_text()
    assert "Host lb1 lb1.example.org\n    HostName 192.168.1.11\n" in config
    assert "User ops\n" in config


def test_known_hosts_is_changed_only_for_the_nodes_that_are_new(cluster: Cluster, spot: Place) -> None:
    known = spot.dir / "known_hosts"
    for node in cluster.nodes:
        spot.host(node.name).mkdir(exist_ok=True)
        ssh_access.host_key(spot, node.name).write_text(f"ssh-ed25519 {node.name} comment\n")
    ssh_access.remember(spot, cluster, cluster.nodes)
    known.write_text(known.read_text().replace(" lb2", " edited"))
    ssh_access.host_key(spot, "lb1").write_text("ssh-ed25519 new comment\n")
    ssh_access.remember(spot, cluster, cluster.nodes[:1])
    assert sorted(known.read_text().splitlines()) == [
        "192.168.0.11,192.168.1.11,lb1 ssh-ed25519 new",
        "192.168.0.12,192.168.1.12,lb2 ssh-ed25519 edited",
    ]


def test_a_new_address_of_a_node_becomes_known(cluster: Cluster, spot: Place) -> None:
    ssh_access.host_key(spot, "lb1").write_text("ssh-ed25519 key\n")
    ssh_access.remember(spot, cluster, cluster.nodes[:1])
    addresses = {**cluster.nodes[0].addresses, "external": ip_address("192.168.0.99")}
    moved = dataclasses.replace(cluster, nodes=(dataclasses.replace(cluster.nodes[0], addresses=addresses),))
    ssh_access.remember(spot, moved, [])
    assert (spot.dir / "known_hosts").read_text().splitlines()[1] == "192.168.0.99 ssh-ed25519 key"


def test_another_port_is_part_of_the_known_name(cluster: Cluster, spot: Place) -> None:
    cluster = dataclasses.replace(cluster, ssh=dataclasses.replace(cluster.ssh, port=2222))
    ssh_access.host_key(spot, "lb1").write_text("ssh-ed25519 key\n")
    ssh_access.remember(spot, cluster, cluster.nodes[:1])
    assert "[192.168.1.11]:2222" in (spot.dir / "known_hosts").read_text()
