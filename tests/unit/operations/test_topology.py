"""The cluster as a picture's data: offline, and with what a look at the nodes found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import NOW, cluster, links, observe
from goldens import GROUPS
from rich.console import Console
from rich.theme import Theme
from statuses import pair, snapshot

from lbdeploy.cli.report.status import once
from lbdeploy.cli.report.terminal import RICH
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.operations.status import Snapshot, Status
from lbdeploy.operations.topology import topology


def test_offline_everything_is_there_and_no_state_is_claimed(seed: Cluster) -> None:
    """What hosts.toml says is shown; what only nodes know is unknown, not well."""
    shown = topology(seed)
    assert [each.name for each in shown.networks] == ["external", "management"]
    assert [(each.name, each.priority, each.role) for each in shown.nodes] == [("lb1", 200, ""), ("lb2", 100, "")]
    assert [each.address for each in shown.frontends[0].servers] == [
        "192.168.1.21:6443", "192.168.1.22:6443", "192.168.1.23:6443",
    ]  # fmt: skip
    states = {vip.state for each in shown.networks for vip in each.vips}
    states |= {each.state for each in shown.nodes} | {each.state for each in shown.frontends[0].servers}
    assert (states, shown.live) == ({"unknown"}, False)


def test_a_healthy_pair_has_a_holder_and_a_standby(seed: Cluster) -> None:
    """The holder's VIPs, its role, and servers as it sees them."""
    shown = topology(seed, pair(seed))
    assert [(vip.holders, vip.state) for each in shown.networks for vip in each.vips] == [(("lb1",), "good")] * 2
    assert [(each.role, each.state) for each in shown.nodes] == [("MASTER", "good"), ("BACKUP", "idle")]
    assert {(each.state, each.detail) for each in shown.frontends[0].servers} == {("good", "UP L4OK")}


def test_a_vip_on_two_nodes_is_not_well(seed: Cluster) -> None:
    """Both holders are named."""
    both = {name: snapshot(seed, name, "MASTER", holds=True) for name in ("lb1", "lb2")}
    vip = topology(seed, Status(seed, both)).networks[0].vips[0]
    assert (vip.holders, vip.state) == (("lb1", "lb2"), "bad")


@pytest.mark.parametrize(("asked", "state"), [(("lb1", "lb2"), "bad"), (("lb2",), "unknown")])
def test_a_vip_on_no_node_is_bad_only_where_every_node_was_asked(
    seed: Cluster, asked: tuple[str, ...], state: str
) -> None:
    """A node that did not answer may hold it."""
    nodes = {name: snapshot(seed, name, "BACKUP", holds=False) for name in asked}
    errors = {node.name: ConnectError("no answer") for node in seed.nodes if node.name not in asked}
    shown = topology(seed, Status(seed, nodes, errors))
    assert (shown.networks[0].vips[0].holders, shown.networks[0].vips[0].state) == ((), state)
    assert [each.role for each in shown.nodes] == [
        "BACKUP" if node.name in asked else "unreachable" for node in seed.nodes
    ]


def test_a_server_that_is_down_is_as_the_holder_sees_it(seed: Cluster) -> None:
    """Not as the standby does, whose way there may be another."""
    status = pair(seed)
    down = tuple(
        replace(each, status="DOWN", check_status="L4CON") if each.server == "master2" else each
        for each in status.nodes["lb1"].seen.servers
    )
    holder = replace(status.nodes["lb1"], seen=replace(status.nodes["lb1"].seen, servers=down))
    shown = topology(seed, Status(seed, {**status.nodes, "lb1": holder}))
    assert [(each.state, each.detail) for each in shown.frontends[0].servers][1] == ("bad", "DOWN L4CON")


def test_the_document_has_every_part_with_its_state(seed: Cluster) -> None:
    """JSON is for programs that draw for themselves."""
    document = topology(seed, pair(seed)).to_json()
    assert document["live"] is True
    assert document["nodes"][0] == {  # type: ignore[index]
        "name": "lb1", "priority": 200, "addresses": {"external": "192.168.0.11", "management": "192.168.1.11"},
        "role": "MASTER", "state": "good",
    }  # fmt: skip


def grouped(folder: Path) -> Status:
    """A pair whose nodes each hold one of two groups."""
    of = cluster(folder, GROUPS)
    said = {
        "lb1": {
            "k8s-api": KeepalivedState("MASTER", 200, NOW - 90),
            "ingress_2": KeepalivedState("BACKUP", 100, NOW - 80),
        },
        "lb2": {
            "k8s-api": KeepalivedState("BACKUP", 100, NOW - 90),
            "ingress_2": KeepalivedState("MASTER", 200, NOW - 80),
        },
    }
    nodes = {}
    for part, name in zip(of.parts, ("lb1", "lb2"), strict=True):
        seen = replace(observe(of, of.node(name)), links=links(part, of.node(name), holds=True))
        nodes[name] = Snapshot(seen, said[name][part.group], (), said[name])
    return Status(of, nodes)


def test_each_group_has_its_holder_and_each_node_a_role_in_each(tmp_path: Path) -> None:
    """In the picture, on the screen and in the documents; a node that serves one group is no standby."""
    status = grouped(tmp_path)
    shown = topology(status.cluster, status)
    assert {vip.told: vip.holders for each in shown.networks for vip in each.vips} == {
        "192.168.0.10 (k8s-api)": ("lb1",),
        "192.168.0.9 (ingress_2)": ("lb2",),
        "2001:db8::9 (ingress_2)": ("lb2",),
        "192.168.1.10 (k8s-api)": ("lb1",),
    }
    assert [(each.told, each.state) for each in shown.nodes] == [
        ("k8s-api MASTER 200; ingress_2 BACKUP 100", "good"),
        ("k8s-api BACKUP 100; ingress_2 MASTER 200", "good"),
    ]
    assert shown.election.startswith("VRRP 101 (k8s-api) and 102 (ingress_2), unicast")
    document = status.to_json()
    assert [(each["group"], each["preferred"], each["holders"]) for each in status.groups] == [
        ("k8s-api", "lb1", ["lb1"]), ("ingress_2", "lb2", ["lb2"])
    ]  # fmt: skip
    assert document["groups"] == status.groups
    assert not [each for each in status.warnings if each.check in ("vrrp", "holder", "vip")]
    console = Console(width=120, color_system=None, theme=Theme(RICH))
    with console.capture() as drawn:
        console.print(once(status))
    rows = [line.split()[:4] for line in drawn.get().splitlines()]
    assert ["lb1", "k8s-api", "MASTER", "2m"] in rows
    assert ["ingress_2", "BACKUP", "80s", "100"] in rows or ["ingress_2", "BACKUP", "1m", "100"] in rows


def test_a_group_that_keepalived_says_it_holds_and_does_not_is_named(tmp_path: Path) -> None:
    """By its name, in the words and as the finding's subject."""
    status = grouped(tmp_path)
    lb2 = replace(status.nodes["lb2"], seen=observe(status.cluster, status.cluster.node("lb2")))
    wrong = Status(status.cluster, {**status.nodes, "lb2": lb2})
    [found] = [each for each in wrong.warnings if each.check == "vrrp"]
    assert (found.node, found.subject) == ("lb2", "ingress_2")
    assert found.detail == "keepalived says MASTER, but it has no VIP of ingress_2"
