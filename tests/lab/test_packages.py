"""[packages]: versions, and where apt gets them, on nodes. Judged by dpkg and apt themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aptrepo import FOLDER, Repository
from clients import cut, traffic, turned_away
from harness import RELOADED, VIPS, Lab

NODES = ("lb1", "lb2")
PROXY_HOST = "192.168.1.254"
PROXY = f"http://{PROXY_HOST}:3142"
FILES = "find /etc /var/lib/lbdeploy -type f | sort | xargs ls -l --time-style=full-iso"
MINE = "ls /etc/apt/preferences.d/lbdeploy /etc/apt/apt.conf.d/lbdeploy /etc/apt/sources.list.d/lbdeploy.sources"


@pytest.fixture
def repository(pair: Lab, tmp_path: Path) -> Iterator[Repository]:
    made = Repository(pair, tmp_path)
    yield made
    made.close()
    made.remove(*NODES)


def version(lab: Lab, node: str, package: str = "haproxy") -> str:
    return lab.on(node, f"dpkg-query -W -f '${{Version}}' {package}")


@pytest.mark.slow
def test_versions_are_kept_to_and_come_from_where_hosts_toml_says(pair: Lab, repository: Repository) -> None:
    """What no source offers is refused; a newer version of a new repository is taken away from the VIPs, and back."""
    was = version(pair, "lb1")
    pair.edit("[vrrp]", '[packages]\nhaproxy = "7.7.*"\n\n[vrrp]')
    before = [pair.on(node, FILES) for node in NODES]
    refused = pair.do("up", code=1)["error"]
    assert refused["message"].startswith("no apt source offers haproxy 7.7.*; they offer: " + was)
    assert [pair.on(node, FILES) for node in NODES] == before

    repository.add("haproxy", "7.7.1-1")
    repository.add("haproxy", "7.8.1-1")
    repository.publish(*NODES)
    (pair.file.parent / "own.gpg").write_bytes(repository.key.read_bytes())
    pair.edit(
        'haproxy = "7.7.*"',
        f"""\
haproxy = "7.7.*"
apt_proxy = "{PROXY}"
[packages.repositories.own]
uri = "http://own.example/"
suite = "./"
key_file = "own.gpg"
""",
    )
    planned = pair.do("plan", code=3)["changes"]
    assert {(x["action"], x["name"]) for x in planned} == {
        ("create", "/etc/apt/keyrings/lbdeploy-own.asc"), ("create", "/etc/apt/apt.conf.d/lbdeploy"),
        ("create", "/etc/apt/sources.list.d/lbdeploy.sources"), ("create", "/etc/apt/preferences.d/lbdeploy"),
        ("replace", "haproxy"),
    }  # fmt: skip
    assert all("known once apt has" in x["reason"] for x in planned if x["name"] == "haproxy")
    down = pair.do("up", code=7)["error"]
    assert PROXY_HOST in down["message"], down
    assert [version(pair, node) for node in NODES] == [was, was]
    with repository.proxied(PROXY_HOST) as asked, traffic(pair, *VIPS) as seen:
        pair.do("up")
    assert {"http://own.example/./InRelease", "http://own.example/./haproxy_7.7.1-1.deb"} <= set(asked)
    assert seen["probes"] > 100
    assert not turned_away(seen)
    assert not cut(seen, 2)
    for node in NODES:
        assert version(pair, node) == "7.7.1-1"
        assert pair.on(node, f"{RELOADED}systemctl is-active haproxy keepalived") == "active\nactive"
        # apt itself, as an upgrade of everything by hand or by unattended-upgrades asks it.
        assert "haproxy" not in pair.on(node, "apt-get -s dist-upgrade | grep ^Inst || :")
        assert PROXY in pair.on(node, "apt-config dump Acquire::http::Proxy")
    assert pair.do("up")["changes"] == []

    pair.file.write_text(pair.original.replace("[vrrp]", f'[packages]\nhaproxy = "{was}"\n\n[vrrp]'))
    back = pair.do("up")["changes"]
    assert {x["action"] for x in back if x["name"] == "haproxy"} == {"replace"}
    assert {x["action"] for x in back if x["name"] == "/etc/apt/sources.list.d/lbdeploy.sources"} == {"remove"}
    assert [version(pair, node) for node in NODES] == [was, was]

    pair.file.write_text(pair.original)
    pair.do("up")
    assert pair.on("lb1", f"{MINE} /etc/apt/keyrings/lbdeploy* 2>/dev/null", check=False) == ""


def test_a_repository_that_is_not_signed_by_its_key_changes_nothing(pair: Lab, repository: Repository) -> None:
    """apt refuses its lists, and the files that named it are gone again, before any package was looked at."""
    repository.add("haproxy", "7.7.1-1")
    repository.publish(*NODES)
    signed = pair.root("lb2") / FOLDER[1:] / "InRelease"
    signed.write_text(signed.read_text().replace("SHA256", "MD5Sum"))
    (pair.file.parent / "own.gpg").write_bytes(repository.key.read_bytes())
    pair.edit(
        "[vrrp]",
        f"""\
[packages.repositories.own]
uri = "file:{FOLDER}"
suite = "./"
key_file = "own.gpg"

[vrrp]""",
    )
    failed = pair.run("--json", "up")
    assert failed.code == 7, failed.out
    assert "InRelease" in failed.out
    for node in NODES:
        assert pair.on(node, f"{MINE} /etc/apt/keyrings/lbdeploy* 2>/dev/null", check=False) == ""
    repository.publish("lb2")
