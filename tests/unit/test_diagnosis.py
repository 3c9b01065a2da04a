"""What `lbdeploy doctor` makes of what nodes show: every problem, each with its id and what to do."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, SEED, captured, cluster, observe

from lbdeploy.cli.report.doctor import lines
from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, HostKeyError, LoginError, SudoError
from lbdeploy.health.finding import Finding
from lbdeploy.node import network_listener
from lbdeploy.node.parsers import Room
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.package import PackageState
from lbdeploy.operations.doctor import doctor, examination, network_checks, node_checks
from lbdeploy.operations.doctor.checklist import CHECKS, IGNORED_BY_DOCTOR, IGNORED_BY_UP, LOGIN
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.operations.doctor.examination import Examination

ALL = frozenset({"vrrp", "hail", "who-has"})
BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
LB1, LB2, STRANGER = (ip_address(each) for each in ("192.168.1.11", "192.168.1.12", "192.168.1.99"))
NONE = PackageState({})
MISSING = PackageState(
    {"haproxy": "1", "socat": "1"}, candidates={"haproxy": "1", "socat": "1", "keepalived": "(none)"}
)


def looked(
    seed: Cluster, name: str = "lb1", hears: network_listener.Heard | None = None, ahead: float = 0.0, **marks: str
) -> Checkup:
    """A node that is fit, but for what it is said to have printed; it hears its peer."""
    node = seed.node(name)
    peer = LB2 if name == "lb1" else LB1
    network = node.interfaces["management"]
    fine = network_listener.Heard(frozenset({network_listener.Advert(101, peer, network)}), frozenset({peer}), done=ALL)
    seen = observe(seed, node, marks={each: Answer(text) for each, text in {"os": BOOKWORM, **marks}.items()})
    return Checkup(seen, hears or fine, ahead)


def with_packages(each: Checkup, state: PackageState) -> Checkup:
    key = next(name for name in each.observation.states if name.startswith("packages "))
    states = {**each.observation.states, key: state}
    return replace(each, observation=replace(each.observation, states=states))


def of_node(seed: Cluster, each: Checkup) -> list[tuple[str, bool]]:
    return [(finding.check, finding.is_warning) for finding in node_checks.problems(seed, each)]


def test_a_fit_pair_has_nothing_but_passed_checks(seed: Cluster) -> None:
    """Each check that doctor makes is told of once a node, or once of all together."""
    found = doctor.diagnose(seed, [looked(seed), looked(seed, "lb2")], {})
    assert all(each.ok for each in found.findings)
    assert {each.check for each in found.findings} == {each.id for each in CHECKS if each.doctor}
    assert [each.node for each in found.findings] == ["lb1"] * 22 + ["lb2"] * 22 + [None] * 4


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
        {"listening": captured("ss_bookworm")},
        {"listening": 'LISTEN 0 511 192.168.1.11:6443 0.0.0.0:* users:(("kube-apiserver",pid=9,fd=5))'},
        {"listening": "nonsense\n\nLISTEN 0\n"},
        {"locks": "nonsense", "leftover": "nonsense", "networkd": "nonsense", "heard": "unreached", "ntp": "nonsense"},
    ],
)
def test_what_is_well_is_not_complained_of(seed: Cluster, marks: dict[str, str]) -> None:
    """Nor what can't be read."""
    assert list(node_checks.problems(seed, looked(seed, **marks))) == []


def test_clocks_are_judged_by_what_they_break(seed: Cluster) -> None:
    """Seconds are a warning, minutes a problem; two nodes that are off by a little each may be too far apart."""
    assert of_node(seed, looked(seed, ahead=1.9)) == []
    assert of_node(seed, looked(seed, ahead=-3)) == [("clock", True)]
    assert of_node(seed, looked(seed, ahead=3600)) == [("clock", False)]
    apart = [looked(seed, ahead=1.5), looked(seed, "lb2", ahead=-1.5)]
    (found,) = network_checks.problems(seed, apart)
    assert (found.check, found.detail) == ("clock", "the clock of lb1 is 3.0 s ahead of that of lb2")


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


def test_what_up_looks_at_too_is_found(seed: Cluster) -> None:
    """No systemd, and a kernel setting that can't be set, are refused by every up."""
    node = looked(seed)
    node = replace(node, observation=replace(node.observation, lacks=frozenset({"systemd", "nonlocal-bind"})))
    assert of_node(seed, node) == [("systemd", False), ("nonlocal-bind", False)]
    assert {"systemd", "nonlocal-bind", "vip-in-use", "vrid-in-use"} <= set(IGNORED_BY_UP)


def heard(name: str = "lb1", **changes: Any) -> network_listener.Heard:
    peer = LB2 if name == "lb1" else LB1
    fine = network_listener.Heard(frozenset({network_listener.Advert(0, peer, "ens32")}), frozenset({peer}), done=ALL)
    return replace(fine, **changes)


def together(seed: Cluster, lb1: network_listener.Heard, lb2: network_listener.Heard | None = None) -> list[Finding]:
    return list(
        network_checks.problems(seed, [looked(seed, hears=lb1), looked(seed, "lb2", hears=lb2 or heard("lb2"))])
    )


def test_whoever_answers_for_a_vip_is_named_unless_it_may_be_a_node(seed: Cluster) -> None:
    """A MAC that no node has; where one node was not looked at, it may be that, and is a warning."""
    claim = network_listener.Claim(ip_address("192.168.0.10"), "02:00:00:00:00:99", "ens33")
    (found,) = together(seed, heard(claims=frozenset({claim})), heard("lb2", claims=frozenset({claim})))
    assert (found.node, found.check, found.is_error) == (None, "vip-in-use", True)
    assert "02:00:00:00:00:99" in found.detail
    (found,) = network_checks.problems(seed, [looked(seed, hears=heard(claims=frozenset({claim})))])
    assert (found.check, found.is_error) == ("vip-in-use", False)
    assert "lb2" in found.detail


@pytest.mark.parametrize(
    ("advert", "foreign"),
    [
        (network_listener.Advert(101, STRANGER, "ens32"), True),
        (network_listener.Advert(102, STRANGER, "ens32"), False),
        (network_listener.Advert(101, STRANGER, "ens33"), False),
        (network_listener.Advert(101, ip_address("fe80::1"), "ens32"), False),
        (network_listener.Advert(101, LB2, "ens32"), False),
        (network_listener.Advert(101, ip_address("192.168.0.12"), "ens32"), False),
    ],
)
def test_a_foreign_router_has_the_same_id_on_the_same_network(
    seed: Cluster, advert: network_listener.Advert, foreign: bool
) -> None:
    """Another ID, network or address family is another virtual router; a member's own addresses are ours."""
    found = together(seed, heard(adverts=frozenset({advert})))
    assert [each.check for each in found] == (["vrid-in-use"] if foreign else [])
    assert all("192.168.1.99" in each.detail for each in found)


def test_where_vrrp_stops_tells_whose_firewall_it_is(seed: Cluster) -> None:
    """It came, but did not get through: the receiver's; it could not be sent: the sender's; neither: unknown."""
    (found,) = together(seed, heard(through=frozenset()))
    assert (found.node, found.check) == ("lb1", "firewall")
    assert "its firewall drops VRRP (IP protocol 112) from lb2 (192.168.1.12) to lb1" in found.detail
    gone = network_listener.Heard(done=ALL)
    (found,) = together(seed, gone, heard("lb2", unsent={LB1: "Operation not permitted"}))
    assert (found.node, found.check) == ("lb2", "firewall")
    assert found.detail.endswith("Operation not permitted")
    (found,) = together(seed, gone)
    assert "does not arrive" in found.detail
    assert "in between" in (found.fix or "")


def test_where_nobody_could_listen_nothing_is_claimed(seed: Cluster) -> None:
    """A node whose perl does not run is told, and neither its silence nor its peer's is taken for an answer."""
    found = together(seed, network_listener.Heard())
    assert [(each.check, each.is_warning) for each in found] == [
        ("vip-in-use", True), ("vrid-in-use", True), ("firewall", True), ("firewall", True)
    ]  # fmt: skip
    assert all("from lb1: " in each.detail for each in found)


def test_the_remedy_is_in_the_words_of_the_nodes_firewall(seed: Cluster) -> None:
    """By its rules; test_firewall.py has all kinds."""
    rules = captured("firewall/nft_vrrp_drop")
    pair = [looked(seed, hears=heard(through=frozenset()), firewall=rules), looked(seed, "lb2")]
    (found,) = network_checks.problems(seed, pair)
    assert "nft insert rule inet filter input ip saddr 192.168.1.12 meta l4proto 112 accept" in (found.fix or "")


@pytest.mark.parametrize(("rules", "found"), [("ufw", ["lb1"]), ("nft_default_deny", []), ("nothing", [])])
def test_vrrp_that_gets_in_as_an_answer_only_is_told(seed: Cluster, rules: str, found: list[str]) -> None:
    """Both nodes have sent some, so that a stateful firewall knows the peer; a node that starts has not."""
    pair = [looked(seed, firewall=captured(f"firewall/{rules}")), looked(seed, "lb2")]
    said = list(network_checks.problems(seed, pair))
    assert [each.node for each in said if each.is_warning and "only once it has sent some" in each.detail] == found
    assert len(said) == len(found)


METRICS = '[metrics]\nnetwork = "external"\nport = 8405\n'


@pytest.mark.parametrize(("allow", "ports"), [("", ["6443", "8405"]), ('allow = ["192.168.0.254"]\n', ["6443"])])
def test_ports_that_a_firewall_does_not_let_in_are_told_once(tmp_path: Path, allow: str, ports: list[str]) -> None:
    """Those of frontends and of the metrics, whose one client may be a host; a warning: rules are read, not tried."""
    of = cluster(tmp_path, SEED.read_text() + METRICS + allow)
    rules = captured("firewall/nft_default_deny").replace('"right": 6443', '"right": 8405')
    found = list(node_checks.problems(of, looked(of, firewall=rules)))
    assert {(each.check, each.is_warning) for each in found} == {("firewall", True)}
    assert [re.findall(r"at port (\d+)", each.detail)[0] for each in found] == ports
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


def test_nodes_that_can_not_be_asked_are_told_with_what_they_passed(seed: Cluster) -> None:
    """How far the login came; the other node is judged all the same, and nothing is claimed of both together."""
    kinds = [
        ConnectError("no answer"),
        HostKeyError("changed"),
        LoginError("no key"),
        SudoError("no rights", fix="visudo"),
    ]
    for passed, (check, error) in enumerate(zip(LOGIN, kinds, strict=True)):
        found = doctor.diagnose(seed, [looked(seed, "lb2")], {"lb1": error})
        mine = [(each.check, each.ok) for each in found.findings if each.node == "lb1"]
        assert mine == [(check.id, False), *((each.id, True) for each in LOGIN[:passed])]
        assert ("firewall", True) not in {(each.check, each.ok) for each in found.findings}
    assert sum(each.node == "lb2" for each in found.findings) == 22


def test_a_problem_that_is_known_is_a_warning(seed: Cluster) -> None:
    """--ignore: it is still told, and stops nothing."""
    checkups = [looked(seed, ahead=3600), looked(seed, "lb2")]
    assert [each.check for each in doctor.diagnose(seed, checkups, {}).problems] == ["clock"]
    found = doctor.diagnose(seed, checkups, {}, ("clock",))
    assert found.problems == []
    assert [each.detail[-9:] for each in found.findings if not each.ok] == ["(ignored)"]
    assert not {each.id for each in LOGIN} & set(IGNORED_BY_DOCTOR)


def test_mistakes_in_what_would_be_written_are_told_once(tmp_path: Path) -> None:
    """The lint of `check`, also where a template does not render at all."""
    of = cluster(tmp_path, BIG)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "keepalived.conf.j2").write_text('vrrp_script a {\n script "pidof haproxy"\n}\n')
    found = list(doctor.linted(of))
    assert ("error", 1) in {(each.to_json()["severity"], sum("pidof" in e.detail for e in found)) for each in found}
    (tmp_path / "templates" / "keepalived.conf.j2").write_text("{{ nonsense }}")
    (found_now,) = (each for each in doctor.linted(of) if each.is_error)
    assert (found_now.check, found_now.node) == ("lint", None)


def test_the_report_has_problems_first_and_a_count_of_what_passed(seed: Cluster) -> None:
    """By node, each with its id to ignore it by; a remedy that several share is told once."""
    files = "file /etc/keepalived/keepalived.conf\nfile /etc/haproxy/haproxy.cfg"
    found = doctor.diagnose(seed, [looked(seed, ahead=3600, leftover=files), looked(seed, "lb2")], {})
    text = [
        "".join(part if isinstance(part, str) else part[0] for part in line) for line in lines(found, verbose=False)
    ]
    assert text[0] == "lb1: 20 checks passed"
    assert text[1] == "  ✗ its clock is 60 minutes ahead of yours [clock]"
    assert [line.strip()[:6] for line in text[2:7]] == ["next: ", "! /etc", "! /etc", "next: ", "lb2: 2"]
    assert text[-2] == "Not ready: 1 problem, 46 checks passed, 2 warnings."
    verbose = [*lines(found, verbose=True)]
    assert len(verbose) == len(text) + 46


def test_what_is_heard_is_read_and_the_rest_passed_over() -> None:
    """Lines of the three programs, in any order."""
    text = "51 192.168.1.99 ens32\nthrough 51 192.168.1.99\n7 fe80::1 ens32\nhas 192.168.0.10 02:00:00:00:00:99 ens33\n"
    text += "unsent 192.168.1.12 Operation not permitted\nhas x y z\nthrough 9 nobody\n\n999999 1.2.3.4 x\ndone vrrp\n"
    read = network_listener.read(text)
    assert read.adverts == {
        network_listener.Advert(51, STRANGER, "ens32"),
        network_listener.Advert(7, ip_address("fe80::1"), "ens32"),
    }
    assert read.through == {STRANGER}
    assert read.claims == {network_listener.Claim(ip_address("192.168.0.10"), "02:00:00:00:00:99", "ens33")}
    assert read.done == {"vrrp"}
    assert read.unsent == {LB2: "Operation not permitted"}


def test_the_wire_is_listened_to_while_the_rest_is_looked_at(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One script, in which what takes long runs beside the probes; the clock is read as its line arrives."""
    monkeypatch.setattr(
        examination, "beside", lambda *_: [Raw("sleep 0.05; echo 51 192.168.1.99 ens32"), Raw("echo x >&2")]
    )
    checkup = Examination(seed, seed.node("lb1"), clock=lambda: 1000.0)
    # Nothing is asked of this machine: every probe says nothing.
    quiet = {name: Raw(":") for name in checkup.probes if name != "heard"}
    checkup.probes |= quiet | {"os": Raw("echo ID=debian"), "clock": Raw("echo 1000000060.000000000")}
    done = subprocess.run(["sh", "-s"], check=True, capture_output=True, text=True, input=checkup.script())
    assert done.stderr == ""
    for line in done.stdout.splitlines():
        checkup.on_line(line)
    found = checkup.checkup(done.stdout)
    assert found.wire.adverts == {network_listener.Advert(51, STRANGER, "ens32")}
    assert found.lines("os") == ["ID=debian"]
    assert found.ahead == 1000000060.0 - 1000.0


def test_all_programs_are_asked_for_what_the_cluster_has(tmp_path: Path) -> None:
    """Listening lasts three adverts; VIPs are asked for on their own interfaces, peers hailed at their addresses."""
    of = cluster(tmp_path, BIG.replace("advert_interval = 0.25", "advert_interval = 4"))
    assert network_listener.seconds(of) == 12.5
    listen, hail, ask = (str(each) for each in network_listener.programs(of, of.node("lb-b")))
    assert listen.endswith(" 12.5")
    assert hail.endswith(" 12.0 eth1 fd00:1::12 fd00:1::11 fd00:1::13")
    assert ask.endswith(" 2 enp1s0 203.0.113.10 enp1s0 2001:db8:17::10 eth1 fd00:1::10")


def test_what_nodes_run_needs_nothing_that_a_bare_debian_lacks() -> None:
    """perl-base has few modules: Time::HiRes, for one, is not among them (Debian 11 and 13)."""
    programs = [
        each for each in (resources.files("lbdeploy") / "node" / "remote").iterdir() if each.name.endswith(".pl")
    ]
    used = {name for each in programs for name in re.findall(r"^use ([^;\s]+)", each.read_text(), re.MULTILINE)}
    assert len(programs) == 4
    assert used == {"strict", "Socket"}


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


def test_what_apt_says_of_unattended_upgrades_is_read(seed: Cluster, tmp_path: Path) -> None:
    """Whether it is on, and what it leaves alone; nothing where its timer is off."""
    dump = (
        'APT::Periodic::Enable "1";\nAPT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::Update-Package-Lists "1";\n'
        'Unattended-Upgrade::Package-Blacklist "";\nUnattended-Upgrade::Package-Blacklist:: "^haproxy$";\n'
    )
    for name, does in (("unattended-upgrade", ":"), ("systemctl", "exit $OFF"), ("apt-config", f"printf '{dump}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    probe = node_checks.probes(seed, seed.preferred)["unattended"]
    for off, said in ((0, "Enable 1\nUnattended-Upgrade 1\nspares ^haproxy$\n"), (1, "")):
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OFF": str(off)}
        run = subprocess.run(["sh", "-c", probe], check=True, capture_output=True, text=True, env=env)
        assert run.stdout == said
