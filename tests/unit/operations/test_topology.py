"""The cluster as a picture's data: offline, and with what a look at the nodes found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from statuses import pair, snapshot

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.operations.status import Status
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
