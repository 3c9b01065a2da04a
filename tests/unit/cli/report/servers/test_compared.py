"""What `servers` says."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from lbdeploy.cli.report.servers.compared import lines, table_row
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ApiError
from lbdeploy.operations.kubernetes.api_servers import combined
from lbdeploy.operations.kubernetes.comparison import Comparison, compared

THEN = "lbdeploy servers --write"


def comparison(seed: Cluster, *announced: str) -> Comparison:
    nodes = {f"node{last}": [ip_address(f"192.168.1.{last}")] for last in announced}
    return compared(seed, combined([(own[0], 6443) for own in nodes.values()], nodes, ()))


def said(found: Comparison, *, written: bool = False) -> list[str]:
    told = lines(found, "hosts.toml", THEN, written=written)
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in told]


def test_a_difference(seed: Cluster) -> None:
    """How many, and what to type next."""
    found = comparison(seed, "21", "22", "24")
    assert said(found) == [
        "They differ: in hosts.toml, 1 server missing, 1 server gone from the cluster",
        "Next: lbdeploy servers --write changes hosts.toml, and nothing else",
    ]
    assert said(found, written=True) == ["Written: hosts.toml: 1 server added, 1 server removed", "Next: lbdeploy plan"]
    assert [table_row(row)[1:] for row in found.rows][1:] == [
        ("master2", "192.168.1.22:6443", "yes", "API server node22"),
        ("master3", "192.168.1.23:6443", "yes", "no node of the control plane"),
        ("node24", "192.168.1.24:6443", "-", "API server"),
    ]


def test_no_difference(seed: Cluster) -> None:
    """That it is so is said."""
    assert said(comparison(seed, "21", "22", "23")) == [
        "Nothing to do: hosts.toml has the API servers that the cluster names."
    ]


def test_what_is_not_known(seed: Cluster) -> None:
    """VIPs that are announced, nodes that may not be listed, and what may be another cluster."""
    found = comparison(seed, "77")
    plane = replace(found.plane, shadowed=(ip_address("192.168.0.10"),), without_nodes=ApiError("Forbidden"))
    first, second, third, *_ = said(replace(found, plane=plane))
    assert first.startswith("! the cluster announces 192.168.0.10 as an API server: a VIP")
    assert second.endswith("no server is taken for gone: Forbidden")
    assert third == "! it names none of the servers of k8s-api: it may be another cluster"
