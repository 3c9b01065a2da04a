"""A stacked control plane: API servers on the nodes themselves, at another port; and names of every kind.

Each node has one address for two networks, and what is named has dots, underscores and upper case.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clients import smooth, traffic
from harness import Lab, all_answered, wait_for

ONE, TWO = "lb_1.DC1", "lb-2.dc1.Example"
HOSTS = f"""\
[cluster]
name = "stacked"
[networks.LAN_1]
interface = "ens33"
vip = "10.20.0.10/24"
[networks.services]
interface = "ens33"
vip = "10.20.0.9/32"
[nodes."{ONE}"]
LAN_1 = "10.20.0.11"
services = "10.20.0.11"
priority = 110
[nodes."{TWO}"]
LAN_1 = "10.20.0.12"
services = "10.20.0.12"
priority = 100
[vrrp]
network = "LAN_1"
router_id = 61
preempt_delay = 1
[frontends."k8s_API.dc1"]
port = 6443
check = "https"
interval = 2
[frontends."k8s_API.dc1".servers]
"CP_1.dc1" = "10.20.0.11:7443"
"CP_2.dc1" = "10.20.0.12:7443"
cp_3 = "10.20.0.13:7443"
"""
VIPS = ("10.20.0.10", "10.20.0.9")
PEER = {ONE: TWO, TWO: ONE}


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    file = tmp_path_factory.mktemp("stacked") / "hosts.toml"
    file.write_text(HOSTS)
    lab = Lab(file)
    try:
        lab.lab("up")
        yield lab
    finally:
        file.write_text(HOSTS)
        ended = lab.lbdeploy("lab", "down")
        assert ended.code == 0, ended.err


def at(lab: Lab, node: str) -> bool:
    """Whether a node has the VIPs, and the other one none."""
    there = {each: lab.on(each, "ip -4 -o addr", check=False) for each in PEER}
    own, other = there[node], there[PEER[node]]
    return all(f" {vip}/" in own and f" {vip}/" not in other for vip in VIPS)


def up_servers(lab: Lab) -> set[tuple[str, str]]:
    """The servers that are up, each with the node whose haproxy says so."""
    return {(each["node"], each["server"]) for each in lab.do("verify")["servers"] if each["status"] == "UP"}


@pytest.mark.slow
def test_a_stacked_control_plane_lives_through_its_days(stacked: Lab) -> None:
    """Up, a change, a handover and a drain cost no connection; a node takes its server with it, and brings it back."""
    assert [each["detail"] for each in stacked.do("doctor")["findings"] if each["severity"] == "error"] == []
    stacked.do("up")
    everyone = {(node, server) for node in PEER for server in ("CP_1.dc1", "CP_2.dc1", "cp_3")}
    assert (at(stacked, ONE), up_servers(stacked)) == (True, everyone)
    assert "10.20.0.11:7443" in stacked.on(ONE, "ss -Hltn")

    with traffic(stacked, *VIPS) as seen:
        stacked.edit("interval = 2", "interval = 1")
        stacked.do("up")
    smooth(seen, 0)
    with traffic(stacked, *VIPS) as seen:
        stacked.do("drain", "CP_1.dc1", "--wait", "1", "--shutdown")
        stacked.lab("stop", "CP_1.dc1")
        wait_for(lambda: (ONE, "CP_1.dc1") not in up_servers(stacked))
        stacked.lab("start", "CP_1.dc1")
        stacked.do("undrain", "CP_1.dc1")
        stacked.do("verify", "--wait", "30", "--wait-for", "servers")
    assert (seen["failures"], len(seen["broken"]) <= len(VIPS)) == ([], True)
    assert stacked.do("up")["changes"] == []
    with traffic(stacked, *VIPS) as seen:
        assert all_answered(stacked.do("handover", "--to", TWO))
        assert at(stacked, TWO)
        stacked.do("handover", "--back")
    smooth(seen, 2)

    drilled = stacked.do("drill", "power")
    assert (drilled["node"], 0 < drilled["outage_ms"] <= drilled["expected_ms"] + 300) == (ONE, True)
    assert drilled["expected_ms"] > 4000  # not when the VIPs have moved: when haproxy calls the node's server down
    wait_for(lambda: at(stacked, ONE) and up_servers(stacked) == everyone, 60)
    refused = stacked.do("drill", "server", code=2)["error"]
    assert refused["fix"].endswith(f" --lab drill power --node {ONE}")


@pytest.mark.slow
def test_the_server_of_a_node_is_there_while_the_node_is(stacked: Lab) -> None:
    """A cut of the power ends it, a reboot starts it anew, and its cables are those of the node."""
    stacked.lab("stop", TWO)
    states = {each["name"]: each["state"] for each in stacked.lbdeploy("--json", "lab", "status").json["lab"]["hosts"]}
    assert (states[TWO], states["CP_2.dc1"], states["CP_1.dc1"]) == ("off", "down", "up")
    off = stacked.lbdeploy("lab", "start", "CP_2.dc1")
    assert (off.code, f"CP_2.dc1 runs on {TWO}, which is off" in off.err) == (1, True)
    stacked.lab("start", TWO)
    listens = "ss -Hltn | grep -c 10.20.0.12:7443"
    assert stacked.on(TWO, listens) == "1"
    stacked.on(TWO, "systemctl reboot", check=False)
    wait_for(lambda: stacked.lbdeploy("lab", "exec", TWO, "test ! -e /run/nologin").code == 0, 60)
    wait_for(lambda: stacked.on(TWO, listens, check=False) == "1", 30)
    cut = stacked.lbdeploy("lab", "cut", "CP_2.dc1")
    assert (cut.code, f"it runs on {TWO}" in cut.err) == (1, True)
    stacked.edit('"10.20.0.12:7443"', '"10.20.0.22:7443"')
    stacked.lab("up")
    assert stacked.on(TWO, listens, check=False) == "0"
    stacked.file.write_text(stacked.original)
    stacked.lab("up")
    assert stacked.on(TWO, listens) == "1"


@pytest.mark.slow
def test_an_altname_is_refused_with_the_name_that_counts(stacked: Lab) -> None:
    """The node knows its interface by both; keepalived does not."""
    stacked.on(ONE, "ip link property add dev ens33 altname enp2s0f0np0")
    stacked.edit(
        f'[nodes."{ONE}"]\n', f'[nodes."{ONE}"]\ninterfaces = {{ LAN_1 = "enp2s0f0np0", services = "enp2s0f0np0" }}\n'
    )
    told = [each for each in stacked.do("doctor", code=6)["findings"] if each["check"] == "interface"]
    stacked.file.write_text(stacked.original)
    wrong, _ = (each for each in told if each["severity"] == "error")
    assert wrong["detail"].startswith("calls enp2s0f0np0, for network LAN_1, ens33")
    assert wrong["fix"] == f'set nodes."{ONE}".interfaces = {{ LAN_1 = "ens33" }} in hosts.toml'
