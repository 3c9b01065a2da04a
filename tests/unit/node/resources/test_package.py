"""[packages] of hosts.toml: what apt is told, which versions are taken, and what is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from builders import CAPTURED

from lbdeploy.node.resources import Packages
from lbdeploy.node.resources.base import Answer
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
    assert packages.restarted(packages.compare(seen, ())) == ["haproxy"]


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
