"""The hosts.toml by which a rollback judges the cluster: what one node alone has stored never counts for another."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import SEED, cluster

from lbdeploy.operations.agreed_hosts import Basis, agreed, differing, disagreeing
from lbdeploy.operations.generations import Generation, RollbackTarget
from lbdeploy.planning.desired import HAPROXY_CFG

HERE = SEED.read_text()
OTHER_VIP = HERE.replace('vip = "192.168.0.10/24"', 'vip = "192.168.0.20/24"')
OTHER_SERVERS = HERE.replace('"192.168.1.21"', '"192.168.1.66"')
OTHER_LB1 = HERE.replace("priority = 200", "priority = 210")
OTHER_NODES = HERE.replace("[nodes.lb2]", "[nodes.lb3]")
COMMENT = f"# of then\n{HERE}"


@pytest.fixture
def here(tmp_path: Path) -> Basis:
    return Basis(cluster(tmp_path, HERE), HERE)


@pytest.mark.parametrize(
    ("lb1", "lb2", "text"),
    [
        pytest.param(OTHER_VIP, OTHER_VIP, OTHER_VIP, id="both say the same"),
        pytest.param(HERE, COMMENT, HERE, id="the file here means the same"),
        pytest.param("", "", HERE, id="neither says anything, as before the first run"),
        pytest.param("no TOML", "", HERE, id="nobody can read it"),
        pytest.param(OTHER_NODES, OTHER_NODES, HERE, id="it had other nodes"),
        pytest.param(OTHER_LB1, HERE, OTHER_LB1, id="it differs for the one node that states it"),
        pytest.param(HERE, OTHER_SERVERS, None, id="one node states other servers for all"),
        pytest.param("", OTHER_SERVERS, None, id="one node states other servers, the other nothing"),
        pytest.param(OTHER_VIP, "no TOML", None, id="one can't be read, and the other means something else"),
        pytest.param(OTHER_VIP, OTHER_SERVERS, None, id="both state something else"),
    ],
)
def test_a_hosts_toml_counts_where_every_nodes_own_record_means_the_same(
    here: Basis, lb1: str, lb2: str, text: str | None
) -> None:
    """For that node; otherwise there is none, and somebody is asked."""
    found = agreed(here, {"lb1": lb1, "lb2": lb2})
    assert (found and found.hosts) == text
    if found and text == OTHER_VIP:
        assert str(found.cluster.vips[0].ip) == "192.168.0.20"


def test_where_ssh_finds_a_node_is_what_hosts_toml_says_now(here: Basis) -> None:
    """An old record, or a forged one, leads no login elsewhere."""
    moved = OTHER_VIP.replace("[nodes.lb1]", '[nodes.lb1]\nhost = "10.6.6.6"').replace('user = "ops"', 'user = "eve"')
    found = agreed(here, {"lb1": moved, "lb2": moved})
    assert found is not None
    assert [each.host for each in found.cluster.nodes] == [each.host for each in here.cluster.nodes]
    assert found.cluster.ssh == here.cluster.ssh


def test_the_nodes_that_do_not_agree_with_the_present_file_are_named(here: Basis) -> None:
    """So that somebody can compare."""
    assert disagreeing(here, {"lb1": HERE, "lb2": OTHER_SERVERS}) == ["lb2"]
    assert disagreeing(here, {"lb1": OTHER_VIP, "lb2": "no TOML"}) == ["lb1"]


def test_an_old_file_that_is_not_its_peers_is_named(here: Basis) -> None:
    """haproxy.cfg is the same on all nodes; keepalived.conf, with the priority, is not."""
    edited = Generation(
        "run", "ann", HERE, {HAPROXY_CFG: ("644", "by hand\n"), "/etc/keepalived/keepalived.conf": ("644", "x")}
    )
    found = list(differing(here, RollbackTarget("run", "ann", {"lb2": edited})))
    assert found == [
        f"{HAPROXY_CFG} will not be the same on lb1 and lb2: compare it, unless you edited it by hand there"
    ]
    assert list(differing(here, RollbackTarget("run", "ann", {"lb1": edited, "lb2": edited}))) == []
