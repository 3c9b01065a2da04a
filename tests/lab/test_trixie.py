"""The same on Debian 13 and 11: other daemons, another systemd, no /etc/sysctl.conf. A firewall and versions, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import TOP, Lab
from judges import objections

VERSIONS = {"trixie": ("13", "3.0", "2.3"), "bullseye": ("11", "2.2", "2.1")}  # of Debian, haproxy, keepalived


@dataclass
class Debian:
    """A lab of this release, and the versions of haproxy and keepalived that are asked for."""

    lab: Lab
    release: str
    haproxy: str
    keepalived: str


@pytest.fixture(params=["trixie", pytest.param("bullseye", marks=pytest.mark.slow)])
def debian(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Debian]:
    """Bare nodes. The state is that of the seed's procedure, which keepalived takes without a delay alone."""
    release, haproxy, keepalived = VERSIONS[request.param]
    file = tmp_path / "hosts.toml"
    text = (TOP / "hosts.toml").read_text().replace("[cluster]", '[cluster]\nfirewall = "nftables"')
    text = text.replace("[vrrp]", '[vrrp]\ninitial_state = "MASTER"')
    file.write_text(f'{text}\n[packages]\nhaproxy = "{haproxy}.*"\nkeepalived = "1:{keepalived}.*"\n')
    lab = Lab(file)
    try:
        lab.lab("up", "--suite", request.param)
        yield Debian(lab, release, haproxy, keepalived)
    finally:
        lab.lbdeploy("lab", "down")


def test_a_pair_of_another_debian(debian: Debian, tmp_path: Path) -> None:
    """Bare nodes become a healthy pair, the validators find nothing, and a second run changes nothing."""
    lab = debian.lab
    document = lab.do("up")
    assert [each["holders"] for each in document["vips"]] == [["lb1"], ["lb1"]]
    for node in ("lb1", "lb2"):
        assert lab.on(node, "cat /etc/debian_version").startswith(debian.release)
        assert lab.on(node, "keepalived -t -f /etc/keepalived/keepalived.conf 2>&1; echo $?") == "0"
        assert lab.on(node, "haproxy -c -f /etc/haproxy/haproxy.cfg 2>&1 > /dev/null; echo $?") == "0"
        assert lab.on(node, "dpkg-query -W -f '${Version}' haproxy").startswith(f"{debian.haproxy}.")
        assert lab.on(node, "dpkg-query -W -f '${Version}' keepalived").startswith(f"1:{debian.keepalived}.")
        assert "1001" in lab.on(node, "apt-cache policy haproxy")
        assert "policy drop" in lab.on(node, "nft list table inet lbdeploy")
        assert lab.on(node, "systemctl is-enabled lbdeploy-firewall") == "enabled"
    assert lab.on("lb1", "grep -E '^ +(state|preempt|nopreempt)' /etc/keepalived/keepalived.conf") == "state MASTER"
    assert lab.do("up")["changes"] == []
    lab.lab("up")  # what the lab has is what is meant
    states = {each["node"]: each["vrrp"]["state"] for each in lab.do("status")["nodes"]}
    assert states == {"lb1": "MASTER", "lb2": "BACKUP"}
    assert lab.answers("192.168.0.10") == "ok"
    assert objections(lab, "lb2", tmp_path / "goldens") == []
    left = "find /etc -name '*lbdeploy*' -o -name firewall.nft; nft list ruleset"
    assert lab.on("lb2", left)
    lab.do("down", "--yes")
    assert [lab.on(node, left) for node in ("lb1", "lb2")] == ["", ""]
