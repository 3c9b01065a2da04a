"""What is said of one node."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import SEED, captured, cluster, observe
from checkups import looked, of_node
from goldens import GOOD
from listening import MEETINGS

from lbdeploy.config.model import Cluster
from lbdeploy.node.network_listener import Heard
from lbdeploy.node.parsers import Room
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.package import PackageState
from lbdeploy.operations.doctor import node_checks
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.operations.doctor.examination import Examination

ON_EXTERNAL = 'port = 6443\nnetworks = "external"'
NONE = PackageState({})
MISSING = PackageState(
    {"haproxy": "1", "socat": "1"}, candidates={"haproxy": "1", "socat": "1", "keepalived": "(none)"}
)


def with_packages(each: Checkup, state: PackageState) -> Checkup:
    key = next(name for name in each.observation.states if name.startswith("packages "))
    states = {**each.observation.states, key: state}
    return replace(each, observation=replace(each.observation, states=states))


@pytest.mark.parametrize(
    ("marks", "check", "warning", "words"),
    [
        (
            {"os": 'ID=ubuntu\nVERSION_ID="20.04"\nPRETTY_NAME="Ubuntu 20.04.6 LTS"\n'},
            "release",
            True,
            "Ubuntu 20.04.6",
        ),
        ({"os": ""}, "release", True, "does not say"),
        (
            {"unattended": "Unattended-Upgrade 1\nspares ^hap"},
            "unattended-upgrades",
            True,
            "may upgrade keepalived on all",
        ),
        (
            {"unattended": "Enable 1\nUnattended-Upgrade 1d\nspares ["},
            "unattended-upgrades",
            True,
            "haproxy and keepalived",
        ),
        (
            {"heard": "unreached http://deb.example/InRelease Failed to fetch http://deb.example/InRelease  Timeout"},
            "apt-sources",
            True,
            "http://deb.example/InRelease: Timeout",
        ),
        (
            {"locks": "/var/lib/dpkg/lock 42 apt-get\n/var/lib/dpkg/lock-frontend 42 apt-get"},
            "apt-lock",
            True,
            "apt-get (process 42)",
        ),
        (
            {"networkd": "ens33 /run/systemd/network/10-netplan-ens33.network no"},
            "network-manager",
            True,
            "off ens33",
        ),
        ({"ntp": "NTPSynchronized=no"}, "ntp", True, "not kept"),
        (
            {"leftover": "file /etc/keepalived/keepalived.conf"},
            "foreign-config",
            True,
            "/etc/keepalived/keepalived.conf",
        ),
        ({"leftover": "unit corosync"}, "foreign-config", True, "corosync runs"),
        ({"listening": 'LISTEN 0 511 *:6443 *:* users:(("nginx",pid=9,fd=5))'}, "port", False, "nginx (process 9)"),
        ({"listening": "LISTEN 0 511 192.168.0.10%ens33:6443 0.0.0.0:*"}, "port", False, "somebody"),
    ],
)
def test_what_a_node_shows_is_found(
    seed: Cluster, marks: dict[str, str], check: str, warning: bool, words: str
) -> None:
    """One thing wrong gives one finding: its id, whether it stops anything, what it is about, and what to do."""
    (found,) = node_checks.problems(seed, looked(seed, **marks))
    assert (found.node, found.check, found.is_warning) == ("lb1", check, warning)
    assert words in found.detail
    assert found.fix


@pytest.mark.parametrize(
    "marks",
    [
        {"ntp": "container\nNTPSynchronized=no"},
        {"ntp": "NTPSynchronized=yes"},
        {"networkd": "ens33 /etc/systemd/network/a.network static"},
        {"listening": captured("ss_bookworm"), "haproxy-pids": "720\n722\n"},
        {"listening": 'LISTEN 0 511 192.168.1.11:6443 0.0.0.0:* users:(("kube-apiserver",pid=9,fd=5))'},
        {"listening": "nonsense\n\nLISTEN 0\n"},
        {"locks": "nonsense", "leftover": "nonsense", "networkd": "nonsense", "heard": "unreached", "ntp": "nonsense"},
    ],
)
def test_what_is_well_is_not_complained_of(seed: Cluster, marks: dict[str, str]) -> None:
    """Nor what can't be read."""
    assert list(node_checks.problems(seed, looked(seed, **marks))) == []


def test_packages_and_their_sources_matter_where_packages_are_missing(seed: Cluster) -> None:
    """A source that can't be reached is a problem then; lists that were never fetched are not, and up fetches them."""
    away = "unreached http://deb.example/InRelease no answer"
    assert of_node(seed, with_packages(looked(seed, lists="7"), MISSING)) == [("packages", False)]
    assert of_node(seed, with_packages(looked(seed, lists="0"), NONE)) == [("packages", True)]
    found = of_node(seed, with_packages(looked(seed, lists="7", heard=away), MISSING))
    assert found == [("packages", False), ("apt-sources", False)]
    assert of_node(seed, with_packages(looked(seed), PackageState(MISSING.versions | {"keepalived": "1"}, True))) == [
        ("dpkg", True)
    ]


def test_packages_need_room_only_where_they_are_missing(seed: Cluster) -> None:
    """A full /usr is no problem of a node that has all it needs."""
    tight = (Room("/usr", 60000, 10**6), Room("/var/cache/apt", 10**6, 2999))
    node = looked(seed)
    node = replace(node, observation=replace(node.observation, room=tight))
    assert of_node(seed, node) == []
    details = [each.detail for each in node_checks.problems(seed, with_packages(node, NONE)) if each.check == "disk"]
    assert details == [
        "/usr has only 60000 KiB free, and 65536 are needed",
        "/var/cache/apt has only 2999 inodes free, and 3000 are needed",
    ]


METRICS = '[metrics]\nnetwork = "external"\nport = 8405\n'


@pytest.mark.parametrize(("allow", "ports"), [("", ["6443", "8405"]), ('allow = ["192.168.0.254"]\n', ["6443"])])
def test_ports_that_a_firewall_does_not_let_in_are_told_once(tmp_path: Path, allow: str, ports: list[str]) -> None:
    """Those of frontends, of metrics (whose one client may be a host), and of peers; a warning: rules are only read."""
    of = cluster(tmp_path, SEED.read_text() + METRICS + allow)
    rules = captured("firewall/nft_default_deny").replace('"right": 6443', '"right": 8405')
    found = list(node_checks.problems(of, looked(of, firewall=rules)))
    assert {(each.check, each.is_warning) for each in found} == {("firewall", True)}
    assert [re.findall(r"at port (\d+)", each.detail)[0] for each in found] == [*ports, "10646", "10647"]
    assert found[0].detail == (
        "its firewall blocks clients at port 6443 of frontend k8s-api: chain inet filter input of nft"
    )


def test_the_firewalls_package_is_looked_for_where_it_is_wanted(tmp_path: Path) -> None:
    """With firewall = "nftables", a node whose apt does not have it is not ready."""
    of = cluster(tmp_path, SEED.read_text().replace("[cluster]\n", '[cluster]\nfirewall = "nftables"\n', 1))
    state = PackageState({"haproxy": "1", "socat": "1", "keepalived": "1"}, candidates={"nftables": "(none)"})
    (found,) = node_checks.problems(of, with_packages(looked(of, lists="7"), state))
    assert (found.check, found.is_error) == ("packages", True)
    assert found.detail == "apt knows no package nftables"
    assert "nftables" in Examination(of, of.preferred).script()


@pytest.mark.parametrize(
    ("told", "versions"),
    [
        ("", ""),
        ("Unattended-Upgrade 0", ""),
        ("Enable 0\nUnattended-Upgrade 1", ""),
        ("Unattended-Upgrade 1\nspares haproxy\nspares ^keepalived$", ""),
        ("Unattended-Upgrade 1\nspares haproxy", 'keepalived = "1:2.2.7-1+b2"'),
    ],
)
def test_unattended_upgrades_that_leave_the_daemons_alone_are_no_problem(
    tmp_path: Path, told: str, versions: str
) -> None:
    """Where they are off, spare the packages, or are kept to one version."""
    found = cluster(tmp_path, SEED.read_text() + f"[packages]\n{versions}\n")
    seen = looked(found, unattended=told)
    assert [each for each in node_checks.problems(found, seen) if each.check == "unattended-upgrades"] == []


@pytest.mark.parametrize(
    "release", ["debian_11", "debian_12", "debian_13", "ubuntu_22.04", "ubuntu_24.04", "ubuntu_26.04"]
)
def test_releases_that_are_supported_are_known(seed: Cluster, release: str) -> None:
    """By the os-release that each has."""
    assert of_node(seed, looked(seed, os=captured(f"os_release/{release}"))) == []


@pytest.mark.parametrize(
    ("listens", "what"),
    [
        ("192.168.0.10:443", "port 443 of frontend ingress"),
        ("192.168.1.10:443", "port 443 of frontend inside"),
        ("*:8404", "port 8404 of the metrics"),
        ("192.168.1.11:8404", "port 8404 of the metrics"),
        ("192.168.0.11:8404", None),
        ("192.168.1.11:443", None),
    ],
)
def test_who_else_listens_is_told_with_what_for(rich: Cluster, listens: str, what: str | None) -> None:
    """Only where haproxy is to listen: a frontend on its networks' VIPs, the metrics on the node's own address."""
    line = f'LISTEN 0 511 {listens} 0.0.0.0:* users:(("nginx",pid=9,fd=5))'
    seen = observe(rich, rich.preferred, marks={"listening": Answer(line)})
    found = [each for each in node_checks.problems(rich, Checkup(seen, Heard())) if each.check == "port"]
    told = f"{what} is in use: nginx (process 9) listens on {listens.rpartition(':')[0]}"
    assert [each.detail for each in found] == ([told] if what else [])


@pytest.mark.parametrize(("host", "address", "meets"), MEETINGS)
def test_who_listens_on_the_other_family_is_not_in_the_way(
    tmp_path: Path, host: str, address: str, meets: bool
) -> None:
    """The same as the node's own check of haproxy.cfg says."""
    there = GOOD.replace('"192.168.0.10/24"', f'"{address}/24"').replace("port = 6443", ON_EXTERNAL)
    made = cluster(tmp_path, there)
    line = f'LISTEN 0 511 {host}:6443 *:* users:(("nginx",pid=9,fd=5))'
    found = [each for each in of_node(made, looked(made, listening=line)) if each[0] == "port"]
    assert found == ([("port", False)] if meets else [])


@pytest.mark.parametrize(("own", "found"), [("4242\n", []), ("4241\n", [("port", False)])])
def test_only_the_haproxy_of_its_service_may_have_the_ports(seed: Cluster, own: str, found: list[object]) -> None:
    """One in a container on the host's network has the same name."""
    listening = 'LISTEN 0 4096 *:6443 *:* users:(("haproxy",pid=4242,fd=7))\n'
    assert of_node(seed, looked(seed, listening=listening, **{"haproxy-pids": own})) == found
