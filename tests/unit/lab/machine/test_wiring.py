"""The shell scripts that wire and boot the lab's hosts, and the files that tell how to reach them."""

from __future__ import annotations

import dataclasses
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LabError
from lbdeploy.lab.host import paths, requirements
from lbdeploy.lab.host.paths import Place, place_of
from lbdeploy.lab.host.processes import too_few_watches
from lbdeploy.lab.machine import ssh_access
from lbdeploy.lab.machine.disk import hostname_of
from lbdeploy.lab.machine.keys import fingerprint, make_ssh_key
from lbdeploy.lab.machine.topology import Cable, Host, topology
from lbdeploy.lab.machine.wiring import wire_script

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


def test_a_lab_is_named_after_its_cluster_and_its_file(tmp_path: Path) -> None:
    one, other = place_of("k8s", tmp_path / "a"), place_of("k8s", tmp_path / "b")
    assert one != other
    assert one.id.startswith("k8s-")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert place_of("k8s", tmp_path / "link") == one


@pytest.mark.parametrize(("node", "hostname"), [("lb1", "lb1"), ("lb_1", "lb-1"), ("a..b", "a-b"), ("lb.x", "lb-x")])
def test_host_names_are_valid_whatever_the_node_is_called(node: str, hostname: str) -> None:
    assert hostname_of(node) == hostname


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


def test_ssh_reads_the_keys_and_agrees_on_their_fingerprints(tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa"):
        key = tmp_path / kind
        make_ssh_key(key, kind)
        assert key.stat().st_mode & 0o777 == 0o600
        shown = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True).stdout
        assert fingerprint(tmp_path / f"{kind}.pub") in shown


def test_all_that_is_missing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool, path: None if tool in {"mmdebstrap", "systemd-nspawn"} else tool)
    with pytest.raises(LabError, match="systemd-nspawn is not installed; mmdebstrap is not installed") as caught:
        requirements.require(build=True)
    assert "apt-get install mmdebstrap systemd-container" in (caught.value.fix or "")


def test_only_root_may_start_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root") as caught:
        requirements.require(build=False)
    assert caught.value.fix == "sudo lbdeploy lab up"


def test_a_machine_that_has_no_inotify_instances_left_is_told(tmp_path: Path) -> None:
    """Nodes don't boot then, and don't say why. A process that ends meanwhile is none."""
    (tmp_path / "sys/fs/inotify").mkdir(parents=True)
    (tmp_path / "sys/fs/inotify/max_user_instances").write_text("20\n")
    (tmp_path / "1/fd").mkdir(parents=True)
    (tmp_path / "1/fd/0").symlink_to("/dev/null")
    for number in range(1, 13):
        (tmp_path / f"1/fd/{number}").symlink_to("anon_inode:inotify")
    assert too_few_watches(tmp_path) == ""
    (tmp_path / "1/fd/13").symlink_to("anon_inode:inotify")
    assert too_few_watches(tmp_path) == "13 of the 20 inotify instances that root may have are taken"
