"""What hosts.toml is not made to be."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ApiError
from lbdeploy.operations.kubernetes.api_servers import combined
from lbdeploy.operations.kubernetes.comparison import compared
from lbdeploy.operations.kubernetes.edits import followed


def test_another_clusters_servers_are_not_taken(seed: Cluster) -> None:
    """Where not one server is the same, the kubeconfig is that of another cluster."""
    other = combined([(ip_address("10.9.9.9"), 6443)], {}, ())
    with pytest.raises(ApiError, match="may be another cluster") as raised:
        followed(seed.path, seed.path.read_text(), compared(seed, other))
    assert raised.value.state == "hosts.toml is as it was"


def test_a_frontend_keeps_a_server_that_serves(seed: Cluster) -> None:
    """However little the cluster names."""
    plane = combined([], {"m1": [ip_address("192.168.1.21")]}, ())
    silent = replace(plane, servers=tuple(replace(each, announced=False) for each in plane.servers), complete=True)
    with pytest.raises(ApiError, match="no server that serves"):
        followed(seed.path, seed.path.read_text(), compared(seed, silent))


def test_the_text_follows(seed: Cluster) -> None:
    """New ones are added, and those that are gone removed."""
    nodes = {name: [ip_address(f"192.168.1.2{last}")] for last, name in enumerate(("m1", "m2", "m4"), 1) if last < 3}
    nodes["m4"] = [ip_address("192.168.1.24")]
    plane = combined([(own[0], 6443) for own in nodes.values()], nodes, ())
    old = seed.path.read_text()
    new = followed(seed.path, old, compared(seed, plane))
    assert new == old.replace('master3 = "192.168.1.23"', 'm4 = "192.168.1.24"')
