"""[packages] of hosts.toml: what apt is told, which versions are taken, and what is refused."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from builders import CAPTURED, captured, steps_of

from lbdeploy.node.resources import Packages
from lbdeploy.node.resources.base import Answer, Change, Phase
from lbdeploy.node.resources.package import PackageState
from lbdeploy.planning.desired import PACKAGES

POLICY = CAPTURED / "apt_policy_bookworm.txt"
REPLACED = "replace haproxy: is 2.6.12-1+deb12u2, hosts.toml wants"


def state(*pins: tuple[str, str]) -> tuple[Packages, PackageState]:
    """Packages with these pins, and what their own probe makes of the captured policy."""
    packages = Packages(PACKAGES, daemons=("haproxy", "keepalived"), pins=pins)
    probe = packages.probe().replace("apt-cache policy haproxy keepalived socat", f"cat {POLICY}")
    said = subprocess.run(["sh", "-c", probe], check=False, capture_output=True, text=True).stdout
    told = [line for line in said.splitlines() if line.startswith(("candidate", "known"))]
    assert told
    installed = ["haproxy ii  2.6.12-1+deb12u2", "keepalived ii  1:2.2.7-1+b2", "socat ii  1.7.4.4-2"]
    return packages, packages.read(Answer("\n".join([*installed, *told])))


def changes(*pins: tuple[str, str], changing: tuple[str, ...] = ()) -> list[str]:
    packages, seen = state(*pins)
    return [f"{each.action} {each.name}: {each.reason}" for each in packages.compare(seen, changing)]


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        ("2.6.*", []),
        ("2.6.12-1+deb12u2", []),
        ("2.8.*", [f"{REPLACED} 2.8.*: apt has 2.8.5-1~bpo12+1, which is newer"]),
        ("*+deb12u1", [f"{REPLACED} *+deb12u1: apt has 2.6.12-1+deb12u1, which is older"]),
        ("9.*", [f"{REPLACED} 9.*, which no apt source offers"]),
    ],
)  # fmt: skip
def test_a_version_outside_its_pattern_is_replaced(pin: str, expected: list[str]) -> None:
    """By the newest that a source offers within the pattern, also by an older one; one within it stays."""
    assert changes(("haproxy", pin)) == expected


def test_upgrading_stays_within_the_pattern() -> None:
    """--upgrade takes the newest version that matches, not the newest of all."""
    packages, seen = state(("haproxy", "2.6.*"))
    (change,) = replace(packages, upgrade=True).compare(seen, ())
    assert (change.action, change.reason) == ("upgrade", "is 2.6.12-1+deb12u2, apt has 2.6.12-1+deb12u4")


def test_a_daemon_that_is_replaced_is_restarted_away_from_the_vips() -> None:
    """It counts as what Debian restarts a daemon for."""
    packages, seen = state(("haproxy", "2.8.*"))
    assert [packages.interrupts(change) for change in packages.compare(seen, ())] == [True]


def test_what_new_sources_offer_is_not_known_yet() -> None:
    """The plan says so, instead of refusing."""
    (said,) = changes(("haproxy", "9.*"), changing=("/etc/apt/sources.list.d/lbdeploy.sources",))
    assert said.endswith("the version is known once apt has the lists of its new sources")


def test_what_ubuntu_says_of_versions_is_read() -> None:
    """It brings updates to some machines first, and says so behind the version."""
    packages = Packages(("haproxy",), pins=(("haproxy", "2.8.*"),))
    probe = packages.probe().replace("apt-cache policy haproxy", f"cat {CAPTURED / 'apt_policy_noble.txt'}")
    seen = packages.read(
        Answer(subprocess.run(["sh", "-c", probe], check=False, capture_output=True, text=True).stdout)
    )
    assert seen.offered("haproxy") == ["2.8.16-0ubuntu0.24.04.1", "2.8.5-1ubuntu3.3", "2.8.5-1ubuntu3"]
    assert seen.candidates == {"haproxy": "2.8.5-1ubuntu3.3"}


HERE = Packages(("haproxy", "keepalived", "socat"), daemons=("haproxy", "keepalived"))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("installed", []),
        ("held", ["unhold socat"]),
        ("removed", ["install haproxy", "unhold socat"]),
        ("purged", ["install haproxy", "install keepalived", "unhold socat"]),
        ("unpacked", ["repair dpkg", "install haproxy", "install keepalived"]),
        ("half_configured", ["repair dpkg", "install keepalived", "unhold socat"]),
        ("half_installed", ["repair dpkg", "install haproxy", "install keepalived", "unhold socat"]),
        ("journal", ["repair dpkg", "unhold socat"]),
    ],
)
def test_packages_that_are_not_whole_are_installed(name: str, changes: list[str]) -> None:
    """What dpkg says of packages tells which are missing, and whether it was stopped half-way."""
    state = HERE.read(Answer(captured(f"dpkg_query/bookworm_{name}"), 0))
    assert [f"{change.action} {change.name}" for change in HERE.compare(state, ())] == changes
    assert all(change.kind == "package" for change in HERE.compare(state, ()))


def test_a_daemon_whose_package_dpkg_was_stopped_at_is_installed_anew_and_restarted() -> None:
    """It may run, unlike on a node whose first installation was cut short; and apt takes the package for installed."""
    answer = captured("dpkg_query/bookworm_half_installed")
    state = HERE.read(Answer(f"{answer}\nrecorded haproxy 2.6.12-1+deb12u4", 0))
    found = HERE.compare(state, ())
    assert [f"{each.action} {each.name}" for each in found] == [
        "repair dpkg",
        "reinstall haproxy",
        "install keepalived",
        "unhold socat",
    ]
    assert [each.name for each in found if HERE.interrupts(each)] == ["haproxy"]
    (installing,) = (text for phase, text in HERE.steps(state, found, ()) if phase is Phase.INSTALL)
    assert installing.endswith("\nrun systemctl try-restart haproxy")


def test_on_a_bare_node_everything_is_installed() -> None:
    """No answer at all, as where dpkg knows none of the packages, means that all are missing."""
    state = HERE.read(Answer("", 1))
    assert state == PackageState({}, False)
    assert [change.name for change in HERE.compare(state, ())] == ["haproxy", "keepalived", "socat"]


def test_versions_are_known() -> None:
    """The state has the version of each installed package, whether it is held back or not."""
    for name in ("installed", "held"):
        state = HERE.read(Answer(captured(f"dpkg_query/bookworm_{name}"), 0))
        assert state.versions["keepalived"] == "1:2.2.7-1+b2"
        assert state.held == ({"socat"} if name == "held" else set())
        assert set(state.versions) == {"haproxy", "keepalived", "socat"}


def test_what_was_recorded_and_what_apt_has_is_read() -> None:
    """The versions at the end of the last run, and apt's candidates, stand beside those that are installed."""
    text = captured("dpkg_query/bookworm_installed")
    told = f"{text}recorded haproxy 2.6.12-1\nrecorded socat\ncandidate haproxy 3.0\ncandidate keepalived (none)\n"
    state = HERE.read(Answer(told, 0))
    assert state.recorded == {"haproxy": "2.6.12-1"}
    assert state.candidates == {"haproxy": "3.0", "keepalived": "(none)"}


def packages(**state: Any) -> PackageState:
    """Three packages of version 2, with something more known of them."""
    return PackageState(dict.fromkeys(HERE.names, "2"), **state)


@pytest.mark.parametrize(
    ("asked", "state", "changes"),
    [
        ({}, packages(), []),
        ({}, packages(recorded={"haproxy": "2"}), []),
        ({}, packages(recorded={"haproxy": "1"}), ["record haproxy: is 2, was 1 after the last run"]),
        ({}, packages(held=frozenset({"socat"})), ["unhold socat: is held back, so it gets no updates"]),
        ({}, packages(candidates={"haproxy": "2"}), []),
        ({"upgrade": True}, packages(candidates={"haproxy": "3"}), ["upgrade haproxy: is 2, apt has 3"]),
        (
            {"upgrade": True},
            packages(candidates={"haproxy": "3"}, held=frozenset({"haproxy"}), recorded={"haproxy": "1"}),
            ["unhold haproxy: is held back, so it gets no updates", "upgrade haproxy: is 2, apt has 3"],
        ),
        ({"reinstall": ("socat",)}, packages(), ["reinstall socat: 2 is to be installed anew"]),
        (
            {"reinstall": ("haproxy",), "upgrade": True},
            packages(candidates={"haproxy": "3"}),
            ["upgrade haproxy: is 2, apt has 3"],
        ),
        (
            {"reinstall": ("haproxy", "socat")},
            PackageState({"haproxy": "2", "keepalived": "2"}),
            ["reinstall haproxy: 2 is to be installed anew", "install socat: is not installed"],
        ),
    ],
)
def test_packages_differ_by_what_is_asked_of_them(
    asked: dict[str, Any], state: PackageState, changes: list[str]
) -> None:
    """Held, newer in apt, to be installed anew, or of another version than the last run has left."""
    found = replace(HERE, **asked).compare(state, ())
    assert [f"{each.action} {each.name}: {each.reason}" for each in found] == changes


def test_debian_restarts_what_it_installs_anew() -> None:
    """A daemon whose package is upgraded or reinstalled is restarted; a tool's is not, nor is a new one's."""

    def change(action: str, name: str) -> Change:
        return Change("package", name, action, "")

    assert all(HERE.interrupts(change(*each)) for each in (("upgrade", "haproxy"), ("reinstall", "keepalived")))
    others = (("upgrade", "socat"), ("install", "haproxy"), ("unhold", "haproxy"))
    assert not any(HERE.interrupts(change(*each)) for each in others)


def test_only_a_run_that_upgrades_asks_apt() -> None:
    """apt's candidates cost time, and nobody but --upgrade wants them."""
    assert "apt-cache" not in HERE.probe()
    assert "apt-cache policy haproxy keepalived socat" in replace(HERE, upgrade=True).probe()


def test_apts_candidates_are_read_from_its_policy() -> None:
    """What apt-cache prints of each package, with what stands below its name."""
    policy = "haproxy:\n  Installed: 2\n  Candidate: 3\n  Version table:\n *** 2 500\nnone:\n  Candidate: (none)\n"
    probe = (
        replace(HERE, upgrade=True).probe().replace("apt-cache policy haproxy keepalived socat", f"printf {policy!r}")
    )
    assert "printf" in probe
    done = subprocess.run(["sh", "-c", probe], check=False, capture_output=True, text=True)
    assert done.stdout.endswith("candidate haproxy 3\nknown haproxy 2 unoffered\ncandidate none (none)\n")


def steps(fix: str) -> list[str]:
    return re.findall(r"^(?:step|patiently|undo|if ! patiently_or_not|systemctl) .*$", fix, re.MULTILINE)


def test_what_is_repaired_and_released_comes_before_what_is_installed() -> None:
    """dpkg goes on where it was stopped, holds are taken away (and put back when the run fails), then apt installs."""
    state = PackageState({"haproxy": "2", "keepalived": "2"}, interrupted=True, held=frozenset({"haproxy"}))
    fix = steps_of(HERE, state)
    said = steps(fix)
    assert said[:4] == [
        "step dpkg --configure -a",
        "patiently dpkg --configure -a",
        "step 'apt-mark unhold' haproxy",
        "undo 'apt-mark -qq hold haproxy'",
    ]
    assert said[4] == "patiently apt-mark -qq unhold haproxy"
    assert said[-2] == "step 'apt-get install'  $again socat"
    assert "mask" not in fix


def test_daemons_that_are_new_do_not_start_before_their_configuration_is_there() -> None:
    """Only those that are installed now are masked meanwhile."""
    state = PackageState({"keepalived": "2", "socat": "2"})
    said = steps(steps_of(HERE, state))
    assert said[0] == "systemctl mask --runtime --no-reload --quiet haproxy 2>&1"
    assert said[-1] == "systemctl unmask --runtime --no-reload --quiet haproxy 2>&1"


@pytest.mark.parametrize(
    ("asked", "option"), [({"upgrade": True}, "--only-upgrade"), ({"reinstall": ("haproxy",)}, "--reinstall")]
)
def test_what_is_renewed_is_what_was_asked_for(asked: dict[str, Any], option: str) -> None:
    """apt is told to renew the one package, and keeps the configuration files that were changed."""
    found = replace(HERE, **asked)
    state = packages(candidates={"haproxy": "3"} if found.upgrade else {})
    fix = steps_of(found, state)
    assert f"step 'apt-get install' {option} $again haproxy" in fix
    assert "--force-confold" in fix
    assert subprocess.run(["dash", "-n"], check=False, input=fix.encode()).returncode == 0


def test_a_version_that_is_only_recorded_needs_nothing_to_be_done() -> None:
    """The end of the run records it."""
    state = packages(recorded={"haproxy": "1"})
    assert steps_of(HERE, state) == ""
