"""[packages] of hosts.toml: what apt is told, which versions are taken, and what is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import CAPTURED, SEED, cluster, observe
from syrupy.assertion import SnapshotAssertion

from lbdeploy.config import reader
from lbdeploy.errors import HostsFileError
from lbdeploy.node.drift import diff
from lbdeploy.node.resources import Gone, Packages
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.package import PackageState
from lbdeploy.planning.desired import PACKAGES, apt_files, desired
from lbdeploy.planning.preflight import refused_versions

GOOD = SEED.read_text()
POLICY = CAPTURED / "apt_policy_bookworm.txt"
KEY = bytes.fromhex("9833") + bytes(range(0x33))  # an old-format packet of tag 6, and its 51 bytes
REPLACED = "replace haproxy: is 2.6.12-1+deb12u2, hosts.toml wants"
WHOLE = """\
[packages]
haproxy = "2.8.*"
keepalived = "1:2.2.7-1*"
apt_proxy = "http://10.0.0.5:3142"
[packages.repositories.own]
uri = "https://apt.example.org/debian"
suite = "stable"
components = ["main", "lb/extra"]
key_file = "own.gpg"
[packages.repositories.flat]
uri = "file:/srv/flat"
suite = "./"
"""


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


def test_what_apt_is_told(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """The keys come before the sources that name them; a binary key is armored, as gpg does it."""
    (tmp_path / "own.gpg").write_bytes(KEY)
    found = cluster(tmp_path, GOOD + WHOLE)
    files = apt_files(found, found.preferred)
    assert [each.path.rpartition("/")[2] for each in files] == [
        "lbdeploy-own.asc", "lbdeploy", "lbdeploy.sources", "lbdeploy"
    ]  # fmt: skip
    assert "\n".join(f"==> {each.path}\n{each.content}" for each in files) == snapshot


def test_an_armored_key_is_taken_as_it_is(tmp_path: Path) -> None:
    """What gpg --armor wrote goes to the node; and of what was made here, gpg reads the same bytes."""
    (tmp_path / "own.gpg").write_bytes(KEY)
    made = apt_files(*_pair(tmp_path))[0].content
    read = subprocess.run(["gpg", "--dearmor"], check=True, capture_output=True, input=made.encode()).stdout
    assert read == KEY
    (tmp_path / "own.gpg").write_text(made)
    assert apt_files(*_pair(tmp_path))[0].content == made


def _pair(folder: Path):  # type: ignore[no-untyped-def]
    found = cluster(folder, GOOD + WHOLE)
    return found, found.preferred


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"2.8.*"', '"2.8.*\\nPin: x"', "packages.haproxy"),
        ('"2.8.*"', '"/2.8/"', "packages.haproxy"),
        ('"2.8.*"', "2.8", "packages.haproxy"),
        ("http://10.0.0.5:3142", "http://me:secret@10.0.0.5:3142", "packages.apt_proxy"),
        ("http://10.0.0.5:3142", 'http://a\\"; x', "packages.apt_proxy"),
        ("https://apt.example.org/debian", "https://me:secret@apt.example.org", "packages.repositories.own.uri"),
        ('"main", "lb/extra"', '"main x"', "packages.repositories.own.components.0"),
        ('suite = "stable"', "", "packages.repositories.own.suite"),
        ('suite = "stable"', 'suite = "stable"\nsuit = 1', "packages.repositories.own.suit"),
        ('components = ["main", "lb/extra"]', "", "packages.repositories.own.components"),
        ('suite = "./"', 'suite = "./"\ncomponents = ["main"]', "packages.repositories.flat.components"),
        ('"own.gpg"', '"none.gpg"', "packages.repositories.own.key_file"),
        ('"own.gpg"', '"hosts.toml"', "packages.repositories.own.key_file"),
    ],
)
def test_what_can_not_be_meant_is_told_with_its_line(tmp_path: Path, old: str, new: str, where: str) -> None:
    """No value becomes a directive of apt's; each problem is told at its key, with what would be right."""
    (tmp_path / "own.gpg").write_bytes(KEY)
    with pytest.raises(HostsFileError) as caught:
        cluster(tmp_path, GOOD + WHOLE.replace(old, new))
    (problem,) = caught.value.problems
    assert problem.key == where
    assert problem.fix
    assert problem.line > GOOD.count("\n")


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


def test_a_version_that_nobody_offers_is_refused_with_those_that_are_offered(tmp_path: Path) -> None:
    """Before anything is changed; not where a repository is new, nor where apt knows nothing of the package at all."""
    for text, table, refused in (
        ('[packages]\nhaproxy = "9.*"\n', [("2.6", True), ("2.5", False)], ["2.6"]),
        ('[packages]\nhaproxy = "9.*"\n', [], []),
        ('[packages]\nhaproxy = "1.*"\n', [("2.6", True)], []),
        (WHOLE.replace('key_file = "own.gpg"', ""), [("2.6", True)], []),
    ):
        found = cluster(tmp_path, GOOD + text)
        node = found.preferred
        seen = PackageState(dict.fromkeys(PACKAGES, "1.0"), table={"haproxy": table})
        states = {"packages haproxy, keepalived, socat": seen}
        missing = {each.path for each in apt_files(found, node) if "sources" in each.path}
        plan = diff(desired(found, node), observe(found, node, states=states | _missing(missing)))
        assert [each.detail.rpartition(": ")[2] for each in refused_versions(plan)] == refused


def _missing(paths: set[str]) -> dict[str, object]:
    from lbdeploy.node.resources.file import FileState

    return {f"file {path}": FileState("missing") for path in paths}


def test_what_hosts_toml_asks_for_no_more_is_removed(tmp_path: Path) -> None:
    """Files of ours in apt's folders that nobody asks for; those that are wanted stay."""
    for name in ("a b", "c", "d"):
        (tmp_path / f"lbdeploy-{name.replace(' ', '')}.asc").write_text(name + "\n")
    gone = Gone("x", (f"{tmp_path}/lbdeploy-*.asc", f"{tmp_path}/none"), but=(f"{tmp_path}/lbdeploy-c.asc",))
    said = subprocess.run(["sh", "-c", gone.probe()], check=True, capture_output=True, text=True).stdout
    seen = gone.read(Answer(said))
    assert seen == {f"{tmp_path}/lbdeploy-ab.asc": "a b\n", f"{tmp_path}/lbdeploy-d.asc": "d\n"}
    first, _ = gone.compare(seen, ())
    assert (first.action, first.name) == ("remove", f"{tmp_path}/lbdeploy-ab.asc")
    assert first.diff == f"--- a{first.name}\n+++ /dev/null\n@@ -1 +0,0 @@\n-a b\n"
    (hidden,) = gone.compare({"/etc/apt/apt.conf.d/lbdeploy": 'Proxy "http://me:secret@proxy";\n'}, ())
    assert "secret" not in str(hidden.diff)
    assert gone.fix(seen, [first]) == f"drop {first.name}"


def test_what_ubuntu_says_of_versions_is_read() -> None:
    """It brings updates to some machines first, and says so behind the version."""
    packages = Packages(("haproxy",), pins=(("haproxy", "2.8.*"),))
    probe = packages.probe().replace("apt-cache policy haproxy", f"cat {CAPTURED / 'apt_policy_noble.txt'}")
    seen = packages.read(
        Answer(subprocess.run(["sh", "-c", probe], check=False, capture_output=True, text=True).stdout)
    )
    assert seen.offered("haproxy") == ["2.8.16-0ubuntu0.24.04.1", "2.8.5-1ubuntu3.3", "2.8.5-1ubuntu3"]
    assert seen.candidates == {"haproxy": "2.8.5-1ubuntu3.3"}


def test_a_key_travels_with_the_file_that_names_it(tmp_path: Path) -> None:
    """Where a worker reads the file, the key need not lie there."""
    (tmp_path / "own.gpg").write_bytes(KEY)
    texts: dict[str, str] = {}
    cluster(tmp_path, GOOD + WHOLE)
    here = reader.load(tmp_path / "hosts.toml", texts=texts)
    (tmp_path / "own.gpg").unlink()
    assert reader.load(tmp_path / "hosts.toml", GOOD + WHOLE, texts).packages == here.packages
