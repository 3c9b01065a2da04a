"""Whose node it is."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
from builders import observe, survey
from goldens import GOOD

from lbdeploy.config.model import Cluster
from lbdeploy.errors import RemoteError
from lbdeploy.node.resources.base import Answer
from lbdeploy.planning.ownership import ownership, refuse_to_remove

OTHERS = GOOD.replace(".10/24", ".99/24")


def judged(seed: Cluster, hosts: str) -> list[tuple[str, str]]:
    seen = replace(observe(seed, seed.node("lb1")), marks={"hosts": Answer(hosts)})
    return [(each.severity, each.subject) for each in ownership(seed, seen)]


@pytest.mark.parametrize("hosts", ["", GOOD, "[nodes", "cluster = 3", '[cluster]\nname = ["x"]\n'])
def test_nothing_is_said_of_ones_own_node_or_one_without_a_readable_record(seed: Cluster, hosts: str) -> None:
    """A record that can't be read is no proof of another cluster."""
    assert judged(seed, hosts) == []


def test_a_cluster_with_other_vips_and_another_name_is_another_one(seed: Cluster) -> None:
    """Its VIPs would be gone."""
    assert judged(seed, OTHERS.replace('"k8s-api"', '"prod"')) == [("error", "prod")]


def test_a_copy_with_the_same_name_is_another_one_by_its_router_id(seed: Cluster) -> None:
    """Whoever copies a hosts.toml may leave the name as it is."""
    assert judged(seed, OTHERS.replace("router_id = 101", "router_id = 102")) == [("error", "k8s-api")]


def test_a_cluster_that_gets_other_vips_is_still_the_same(seed: Cluster) -> None:
    """All VIPs may be replaced: the name and the virtual router ID stay."""
    assert judged(seed, OTHERS) == []


def test_a_new_name_for_the_same_vips_is_a_rename(seed: Cluster) -> None:
    """It is said, and does not stand in the way."""
    assert judged(seed, GOOD.replace('"k8s-api"', '"prod"')) == [("warning", "prod")]


def test_a_run_names_the_cluster_that_is_there_and_what_to_type(seed: Cluster) -> None:
    """And can be told to go on."""
    hosts = {"hosts": Answer(OTHERS.replace('"k8s-api"', '"prod"'))}
    found = survey(seed, *(replace(observe(seed, node), marks=hosts) for node in seed.nodes))
    with pytest.raises(RemoteError, match="another cluster is deployed here: prod") as caught:
        found.refuse()
    fix = str(caught.value.fix)
    assert "one hosts.toml, with a group of VIPs for each ([vrrp.groups.NAME])" in fix
    assert "lbdeploy -f ITS_HOSTS_TOML down" in fix
    found.refuse(["other-cluster"])


@pytest.mark.parametrize(("hosts", "taken"), [(OTHERS, False), (GOOD, True)])
def test_down_takes_nothing_from_another_cluster(seed: Cluster, hosts: str, taken: bool) -> None:
    """Its own nodes it takes, whatever the cluster was called then."""
    seen = replace(observe(seed, seed.preferred), marks={"hosts": Answer(hosts.replace('"k8s-api"', '"prod"'))})
    with nullcontext() if taken else pytest.raises(RemoteError, match=r"another cluster is deployed here: prod, with"):
        refuse_to_remove(seed, seen)
