"""The same on Debian 13: newer daemons, new systemd, no /etc/sysctl.conf. A firewall and versions, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import TOP, Lab


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    file = tmp_path_factory.mktemp("trixie") / "hosts.toml"
    text = (TOP / "hosts.toml").read_text().replace("[cluster]", '[cluster]\nfirewall = "nftables"')
    file.write_text(f'{text}\n[packages]\nhaproxy = "3.0.*"\nkeepalived = "1:2.3.*"\n')
    lab = Lab(file)
    try:
        lab.lab("up", "--suite", "trixie")
        yield lab
    finally:
        lab.lbdeploy("lab", "down")


def test_a_pair_of_debian_13(trixie: Lab) -> None:
    """Bare nodes become a healthy pair, the validators find nothing, and a second run changes nothing."""
    document = trixie.do("up")
    assert [each["holders"] for each in document["vips"]] == [["lb1"], ["lb1"]]
    for node in ("lb1", "lb2"):
        assert trixie.on(node, "cat /etc/debian_version").startswith("13")
        assert trixie.on(node, "keepalived -t -f /etc/keepalived/keepalived.conf 2>&1; echo $?") == "0"
        assert trixie.on(node, "haproxy -c -f /etc/haproxy/haproxy.cfg 2>&1; echo $?") == "0"
        assert trixie.on(node, "dpkg-query -W -f '${Version}' haproxy").startswith("3.0.")
        assert "1001" in trixie.on(node, "apt-cache policy haproxy")
        assert "policy drop" in trixie.on(node, "nft list table inet lbdeploy")
        assert trixie.on(node, "systemctl is-enabled lbdeploy-firewall") == "enabled"
    assert trixie.do("up")["changes"] == []
    states = {each["node"]: each["vrrp"]["state"] for each in trixie.do("status")["nodes"]}
    assert states == {"lb1": "MASTER", "lb2": "BACKUP"}
    assert trixie.answers("192.168.0.10") == "ok"
    left = "find /etc -name '*lbdeploy*' -o -name firewall.nft; nft list ruleset"
    assert trixie.on("lb2", left)
    trixie.do("down", "--yes")
    assert [trixie.on(node, left) for node in ("lb1", "lb2")] == ["", ""]
