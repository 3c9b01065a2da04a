"""Settings of hosts.toml that can't work as they are meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from clusters import with_options
from goldens import HEAD, READY, RICH

from lbdeploy.planning.lint.lint import lint


def test_ssh_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    """Each by its path: a key, unless the agent has it and its public half is there, and a known_hosts file."""
    named = 'identity_file = "keys/id"\nknown_hosts_file = "known"\n[networks.external]'
    made = cluster(tmp_path, READY.replace("[networks.external]", named))
    assert [each.message for each in lint(made)] == [
        f"ssh.identity_file: {tmp_path}/keys/id is not there",
        f"ssh.known_hosts_file: {tmp_path}/known is not there",
    ]
    (tmp_path / "keys").mkdir()
    for name in ("keys/id.pub", "known"):
        (tmp_path / name).touch()
    assert lint(made) == []


def test_servers_that_are_checked_more_slowly_than_nodes_are_warned_of(tmp_path: Path) -> None:
    """Adverts several times a second are of little use where a dead server is seen after 11 s. The advice is sound."""
    quick = READY.replace("advert_interval = 1", "advert_interval = 0.1")
    (found,) = lint(cluster(tmp_path, quick))
    assert found.severity == "warning"
    assert found.message.startswith("frontends.k8s-api: haproxy may take 11 s to see that a server is gone")
    assert "keepalived 1.3 s for a node" in found.message
    advice = found.fix.partition(": ")[2].replace(", ", "\n")
    assert advice == "interval = 0.8\nfast_interval = 0.4\nfall = 2"
    assert lint(cluster(tmp_path, quick.replace("interval = 10", advice).replace("\nfall = 2\n[", "\n["))) == []


def test_the_seeds_initial_state_is_warned_of(tmp_path: Path) -> None:
    """With state MASTER the delay that the seed wants is lost: said of the setting, and it is not written."""
    (found,) = lint(cluster(tmp_path, READY.replace("router_id", 'initial_state = "MASTER"\nrouter_id')))
    assert (found.severity, found.node, found.file) == ("warning", None, str(tmp_path / "hosts.toml"))
    assert "loses preempt_delay" in found.message


def test_the_initial_state_without_a_delay_is_fine(tmp_path: Path) -> None:
    """There is nothing to be lost where no delay is set."""
    text = READY.replace("preempt_delay = 30", 'preempt_delay = 0\ninitial_state = "MASTER"')
    assert lint(cluster(tmp_path, text)) == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_timeouts_that_cut_watches_are_warned_of(tmp_path: Path, side: str) -> None:
    """The seed's 50 s would cut kubectl logs -f, exec and watches; ten minutes are let pass."""
    short = lint(cluster(tmp_path, READY.replace("port = 6443", f"port = 6443\n{side}_timeout = 50")))
    assert [each.message for each in short] == [
        f"frontends.k8s-api.{side}_timeout of 50 s cuts off kubectl logs -f, exec and watches"
    ]
    assert lint(cluster(tmp_path, READY.replace("port = 6443", f"port = 6443\n{side}_timeout = 600"))) == []


def test_what_can_not_work_is_warned_of(ca_folder: Path) -> None:
    """kube-apiserver understands no PROXY header; a name that nobody verifies is no protection. Nothing else is odd."""
    text = RICH.replace('allow = "10.0.0.0/8"', "proxy_protocol = true")
    found = [(each.severity, each.message) for each in lint(cluster(ca_folder, text))]
    assert [severity for severity, _ in found] == ["warning", "warning"]
    assert found[0][1].startswith("frontends.api.proxy_protocol: kube-apiserver (port 6443)")
    assert found[1][1].startswith("frontends.inside.check_host: servers are told the name")


def test_a_vip_without_a_frontend_is_warned_of(ca_folder: Path) -> None:
    """It would float, and nobody would answer there."""
    text = (
        HEAD
        + '[frontends.api]\nport = 6443\nnetworks = "external"\ncheck = "https"\nservers = { m1 = "192.168.1.21" }\n'
    )
    (found,) = lint(cluster(ca_folder, text))
    assert (found.severity, found.message) == ("warning", "no frontend listens on the VIP 192.168.1.10")


def weights(folder: Path, *pairs: tuple[str, int], priorities: tuple[int, int] = (200, 100)) -> list[str]:
    """What the lint says of tracked files ("f") and scripts ("s") with these weights."""
    tables = {
        "f": "[vrrp.track_files.t{}]\nfile = '/run/t'\nweight = {}\n",
        "s": "[vrrp.track_scripts.t{}]\nscript = 'scripts/notify.sh'\nweight = {}\n",
    }
    text = "".join(tables[kind].format(at, weight) for at, (kind, weight) in enumerate(pairs))
    first, second = priorities
    sample = READY.replace("priority = 200", f"priority = {first}").replace("priority = 100", f"priority = {second}")
    found = lint(with_options(folder, text, sample))
    assert all(each.severity == "warning" for each in found)
    return [f"{each.message}; {each.fix}" for each in found]


def test_a_weight_that_can_move_nothing_is_told_with_the_one_that_can(tmp_path: Path) -> None:
    """Alone, it must be more than the distance to the next node: at the same priority, the holder stays."""
    assert weights(tmp_path, ("s", -100)) == [
        "vrrp.track_scripts.t0: a weight of -100 moves no VIP from lb1 (priority 200) to lb2 (100); "
        "weight = -101, or less; or bring the priorities closer"
    ]
    (said,) = weights(tmp_path, ("f", 3), priorities=(104, 100))
    assert "lb2 (100), while the number in the file is 1; weight = 5, or more" in said
    assert weights(tmp_path, ("s", -101), ("f", 0), ("s", 0)) == []
    assert weights(tmp_path, ("s", 20), priorities=(120, 101)) == []


def test_sums_that_keepalived_does_not_go_by_are_told(tmp_path: Path) -> None:
    """Below 1 for more than one node, addresses decide; above 254, lbdeploy's own offsets don't suffice."""
    (low,) = weights(tmp_path, ("s", -101), ("s", -101))
    assert "priorities of lb1 (200-202) and of lb2 (100-202) count as 1, and addresses decide" in low
    assert "add up to -199 or more" in low
    (high,) = weights(tmp_path, ("s", 110))
    assert "the priority of lb1 (200+110) counts as 254" in high
    assert "add up to 54 or less" in high


def test_servers_on_the_nodes_at_a_frontends_port_are_warned_of(tmp_path: Path) -> None:
    """A stacked control plane: kube-apiserver wants the port on all addresses, and haproxy has it on the VIPs."""
    stacked = READY.replace('master1 = "192.168.1.21"', 'master1 = "192.168.1.11"')
    (found,) = lint(cluster(tmp_path, stacked))
    assert (found.severity, "master1 (lb1) run on the nodes at port 6443" in found.message) == ("warning", True)
    assert "--bind-address=ITS_OWN_ADDRESS" in found.fix
    assert lint(cluster(tmp_path, stacked.replace('"192.168.1.11"\nmaster2', '"192.168.1.11:7443"\nmaster2'))) == []


def test_servers_that_the_nodes_own_firewall_would_cut_off_are_warned_of(tmp_path: Path) -> None:
    """The other node's haproxy would not reach them, nor would kubelets; a port that is open anyway is none."""
    stacked = READY.replace('master1 = "192.168.1.21"', 'master1 = "192.168.1.11:7443"')
    walled = stacked.replace("[cluster]\n", '[cluster]\nfirewall = "nftables"\n')
    (found,) = lint(cluster(tmp_path, walled))
    assert "master1 (lb1) run on the nodes, whose firewall drops what is for port 7443" in found.message
    assert found.fix.startswith("firewall_allow = [7443]")
    allowed = walled.replace("[cluster]\n", "[cluster]\nfirewall_allow = [7443]\n")
    assert lint(cluster(tmp_path, allowed)) == []


def test_a_key_with_a_dot_in_it_is_told_as_it_is_written(tmp_path: Path) -> None:
    """What is copied from the screen into the file is TOML."""
    text = READY.replace("[frontends.k8s-api", '[frontends."api.example.com"').replace(
        "port = 6443", "port = 6443\nclient_timeout = 50"
    )
    (found,) = (each for each in lint(cluster(tmp_path, text)) if "client_timeout" in each.message)
    assert found.message.startswith('frontends."api.example.com".client_timeout of 50 s')


def test_an_ipv6_server_whose_end_is_the_port_is_warned_of(tmp_path: Path) -> None:
    """It is a good address, but hardly the one that is meant; with another end, or brackets, it is."""
    (found,) = lint(cluster(tmp_path, READY.replace('"192.168.1.21"', '"fd00::21:6443"')))
    assert found.message == (
        "frontends.k8s-api.servers.master1: fd00::21:6443 is an address as a whole, with port 6443 behind it"
    )
    assert found.fix == 'if its end is the port: "[fd00::21]:6443"'
    for right in ("[fd00::21]:6443", "fd00::21", "fd00::21:6444"):
        assert lint(cluster(tmp_path, READY.replace('"192.168.1.21"', f'"{right}"'))) == []
