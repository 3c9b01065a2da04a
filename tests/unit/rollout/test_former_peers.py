"""Peers that are no longer in hosts.toml: who they are, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import as_by, observe, survey

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import ConnectError
from lbdeploy.node.resources.base import Answer
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.rollout.former_peers import CHECK, FormerPeer, findings, former_peers
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.transport.session import CommandResult

HOSTS = """\
nodes.lb1.management = "192.168.1.91"
nodes.lb3 = { external = "192.168.0.13", management = "192.168.1.13", priority = 50 }
vrrp.network = "management"
unknown = { to = "this version" }
"""


class SessionPool:
    """Nodes that say what they are told to say, and note down who was asked."""

    def __init__(self, says: str | Exception) -> None:
        self.says = says
        self.asked: list[str] = []
        self.script = ""

    def each(self, nodes: Sequence[Node], work: Callable[[Node, Any], Any]) -> dict[str, Any]:
        self.asked += [node.name for node in nodes]
        if isinstance(self.says, Exception):
            return {nodes[0].name: self.says}
        return {nodes[0].name: work(nodes[0], self)}

    def run(self, script: str) -> CommandResult:
        self.script = script
        return CommandResult(str(self.says), 0)


def pair(cluster: Cluster, *peers: str, hosts: str = "") -> Survey:
    """A converged pair, lb1 being the holder, whose files have these peers besides, made from that hosts.toml."""
    more = "".join(f"        {peer}\n" for peer in peers)
    seen = []
    for node in cluster.nodes:
        states = as_by(cluster, node.name)
        conf = states[f"file {KEEPALIVED_CONF}"]
        content = conf.content.replace("unicast_peer {\n", f"unicast_peer {{\n{more}")
        changed = {f"file {KEEPALIVED_CONF}": replace(conf, content=content)}
        marks = {"hosts": Answer(hosts)}
        seen.append(observe(cluster, node, holds=node.name == "lb1", states=states | changed, marks=marks))
    return survey(cluster, *seen)


def test_nobody_is_asked_where_there_are_none(seed: Cluster) -> None:
    """No round trip for nothing; a node's own old address is none of a former peer."""
    pool: Any = SessionPool("")
    assert former_peers(pair(seed), pool) == []
    assert pool.asked == []


@pytest.mark.parametrize(
    ("says", "there", "deaf"),
    [
        ("deaf 192.168.1.13\ndone deaf\n192.168.1.13 dev ens32 lladdr 02:00:00:00:00:01 REACHABLE\n", True, True),
        ("done deaf\n192.168.1.13 dev ens32 lladdr 02:00:00:00:00:01 STALE\n", True, False),
        ("done deaf\n192.168.1.13 dev ens32 FAILED\n", False, False),
        ("done deaf\n", False, False),
        ("\n", True, False),
    ],
    ids=["nobody listens", "keepalived runs", "gone", "behind a router", "could not be asked"],
)
def test_a_standby_asks(seed: Cluster, says: str, there: bool, deaf: bool) -> None:
    """One of the nodes, and rather not the holder; the name is of the last run's file."""
    pool: Any = SessionPool(says)
    assert former_peers(pair(seed, "192.168.1.13", hosts=HOSTS), pool) == [
        FormerPeer("192.168.1.13", "lb3", there, deaf)
    ]
    assert pool.asked == ["lb2"]
    assert "1.0 192.168.1.12 192.168.1.13" in pool.script


def test_with_multicast_the_last_runs_file_tells_who_there_was(seed: Cluster) -> None:
    """No file of the nodes names peers then. Who is in hosts.toml by name has another address now, and is none."""
    pool: Any = SessionPool("done deaf\n192.168.1.13 dev ens32 lladdr 02:00:00:00:00:01 STALE\n")
    gone = FormerPeer("192.168.1.13", "lb3", there=True, deaf=False, unicast=False)
    found = former_peers(pair(seed, hosts=HOSTS), pool)
    assert found == [gone]
    assert "192.168.1.91" not in pool.script
    (problem,) = findings(found)
    assert problem.is_error
    assert problem.detail.endswith("listens for VRRP: it may have the VIPs, or take them")
    assert list(findings([replace(gone, deaf=True)])) == []
    (off,) = findings([replace(gone, there=False)])
    assert off.is_warning


def test_where_nobody_could_ask_the_run_ends(seed: Cluster) -> None:
    """One after the other is tried; connections that end in between are no answer."""
    pool: Any = SessionPool(ConnectError("gone", node="lb2"))
    with pytest.raises(ConnectError):
        former_peers(pair(seed, "192.168.1.13"), pool)
    assert pool.asked == ["lb2", "lb1"]


def test_only_one_that_listens_is_a_problem() -> None:
    """Of one that is off, or has no keepalived running, it is said what it might do at its next start."""
    listens = FormerPeer("192.168.1.13", "lb3", there=True, deaf=False)
    (problem,) = findings([listens])
    assert (problem.check, problem.is_error) == (CHECK, True)
    assert "lbdeploy down --limit lb3" in str(problem.fix)
    (off,) = findings([replace(listens, there=False)])
    assert off.is_warning
    assert "coming back as it was, it takes the VIPs" in off.detail
    (bare,) = findings([replace(listens, deaf=True)])
    assert bare.is_warning
    assert "fine if lbdeploy down --limit lb3 was run" in str(bare.fix)
    (nameless,) = findings([replace(listens, name="")])
    assert nameless.detail.startswith("192.168.1.13 is no longer")


MOVED = """\
nodes.lb1.management = "192.168.1.11"
nodes.lb2.management = "192.168.1.12"
vrrp.network = "management"
"""


@pytest.mark.parametrize("seen", [False, True], ids=["mistyped", "another host"])
def test_a_node_whose_address_has_changed_is_no_node_that_is_gone(seed: Cluster, seen: bool) -> None:
    """Where the new address can't be reached, it may be a mistake: the advice is not to take a healthy node down."""
    lb1, lb2 = seed.nodes
    now = replace(lb2, addresses={**lb2.addresses, "management": ip_address("192.168.1.22")})
    moved = replace(seed, nodes=(lb1, now))
    both = pair(seed, hosts=MOVED)
    observations = {"lb1": both.observations["lb1"]}
    beside = {"lb2": observe(moved, now)} if seen else {}
    pool: Any = SessionPool("done deaf\n192.168.1.12 dev ens32 lladdr 02:00:00:00:00:01 STALE\n")
    (peer,) = former_peers(Survey(moved, observations, {}, {}, beside), pool)
    assert (peer.address, peer.name, peer.now, peer.lost) == ("192.168.1.12", "lb2", "192.168.1.22", not seen)
    (problem,) = findings([peer])
    assert problem.is_error
    assert problem.detail.startswith("lb2's address has changed in hosts.toml to 192.168.1.22")
    assert "the old one, 192.168.1.12, listens for VRRP" in problem.detail
    assert "down --limit" not in str(problem.fix)
    assert ("did you mean 192.168.1.12?" in str(problem.fix)) == (not seen)
    (off,) = findings([replace(peer, there=False)])
    assert "the old one, 192.168.1.12, does not answer" in off.detail
    (bare,) = findings([replace(peer, deaf=True)])
    assert "the old one, 192.168.1.12, runs no keepalived now" in bare.detail
