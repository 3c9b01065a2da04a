"""hosts.toml beside the cluster."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lbdeploy.config.model import Cluster, Frontend, Server
from lbdeploy.errors import ApiError, UsageError
from lbdeploy.operations.kubernetes.api_servers import ControlPlane, combined
from lbdeploy.operations.kubernetes.comparison import Comparison, compared

HOME = "192.168.1."


def plane(*announced: str, nodes: dict[str, str] | None = None, port: int = 6443) -> ControlPlane:
    """A cluster that announces servers with these last numbers."""
    own = {name: [ip_address(HOME + last)] for name, last in (nodes or {}).items()}
    return combined([(ip_address(HOME + last), port) for last in announced], own, ())


def states(found: Comparison) -> dict[str, str]:
    return {f"{row.frontend}/{row.server}": row.state for row in found.rows}


def frontend(seed: Cluster, name: str, port: int, *servers: tuple[str, str, int]) -> Frontend:
    made = tuple(Server(name, ip_address(HOME + last), port) for name, last, port in servers)
    return replace(seed.frontends[0], name=name, port=port, servers=made)


def test_all_states(seed: Cluster) -> None:
    """Only who is no node of the control plane is gone; one that is down is not."""
    nodes = {"master1": "21", "master2": "22", "master4": "24"}
    found = compared(seed, plane("21", "24", nodes=nodes))
    assert states(found) == {
        "k8s-api/master1": "same",
        "k8s-api/master2": "silent",
        "k8s-api/master3": "gone",
        "k8s-api/master4": "missing",
    }
    assert [row.server for row in found.differences] == ["master3", "master4"]


def test_nobody_is_gone_where_that_is_not_certain(seed: Cluster) -> None:
    """Without the nodes, one that is not announced may be down."""
    assert states(compared(seed, plane("21", "24"))) == {
        "k8s-api/master1": "same",
        "k8s-api/master2": "unknown",
        "k8s-api/master3": "unknown",
        "k8s-api/api-192-168-1-24": "missing",
    }


def test_a_node_that_joins_is_not_used_before_it_serves(seed: Cluster) -> None:
    """A control-plane node that announces nothing, and that hosts.toml does not have, is none of its business yet."""
    found = compared(seed, plane("21", "22", "23", nodes={"m1": "21", "m2": "22", "m3": "23", "m4": "24"}))
    assert found.differences == ()


def test_names_and_ports(seed: Cluster) -> None:
    """A name that is taken, or too long, is made of the address; the port is that of its like."""
    cluster = replace(seed, frontends=(frontend(seed, "api", 443, ("m4", "21", 6443), ("m2", "22", 6443)),))
    rows = compared(cluster, plane("21", "24", "25", nodes={"m1": "21", "m4": "24", "m" * 64: "25"})).rows
    assert [(row.server, row.port) for row in rows[2:]] == [("api-192-168-1-24", 6443), ("api-192-168-1-25", 6443)]


def test_the_frontends_of_the_api(seed: Cluster) -> None:
    """Those with an API server at its port; others only where they are named, with their own port."""
    api = frontend(seed, "api", 6443, ("m1", "21", 6443))
    join = frontend(seed, "join", 9345, ("m1", "21", 9345))
    web = frontend(seed, "web", 443, ("w1", "31", 443))
    cluster = replace(seed, frontends=(web, join, api))
    assert states(compared(cluster, plane("21", "22"))) == {"api/m1": "same", "api/api-192-168-1-22": "missing"}
    found = compared(cluster, plane("21", "22"), ("api", "join"))
    assert {(row.frontend, row.port) for row in found.differences} == {("api", 6443), ("join", 9345)}
    with pytest.raises(UsageError, match="not clear which one") as raised:
        compared(cluster, plane("77"))
    assert "--frontend web, --frontend join, --frontend api" in (raised.value.fix or "")
    with pytest.raises(UsageError, match="there is no frontend x"):
        compared(cluster, plane("21"), ("x",))


def test_another_cluster(seed: Cluster) -> None:
    """Where it names none of the servers, that is said."""
    assert compared(seed, plane("77")).strange == ("k8s-api",)
    assert compared(seed, plane("21")).strange == ()


def test_the_document(seed: Cluster) -> None:
    """Every server, and what the cluster did not tell."""
    refused = replace(plane("21"), without_nodes=ApiError("no"), shadowed=(ip_address("192.168.0.10"),))
    document = compared(seed, refused).to_json()
    assert document["vips_announced"] == ["192.168.0.10"]
    assert document["nodes_error"] == ApiError("no").to_json()
    assert isinstance(document["servers"], list)
    assert document["servers"][0] == {
        "frontend": "k8s-api",
        "server": "master1",
        "address": "192.168.1.21",
        "port": 6443,
        "state": "same",
        "node": None,
    }
