"""What the lab's API servers show of the cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdeploy.config.model import Cluster, Server
from lbdeploy.lab.host import paths
from lbdeploy.lab.host.paths import Place
from lbdeploy.lab.machine import api_objects
from lbdeploy.lab.machine.apiserver import find
from lbdeploy.lab.machine.topology import topology

SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    return Place("x")


@pytest.fixture
def file(seed: Cluster, place: Place) -> str:
    """The file that the stand-ins read, of a lab whose master2 is stopped."""
    servers = topology(seed).of("server")
    for host in servers:
        place.host(host.name).mkdir(parents=True)
        if host.name != "master2":
            (place.host(host.name) / "pid").touch()
    api_objects.write(place, seed, servers)
    return str(api_objects.path_of(place))


def test_who_is_stopped_is_a_node_and_no_endpoint(file: str) -> None:
    """As in a cluster: the kubelet's node stays, and the API server's lease ends."""
    nodes, slices = find(file, "/api/v1/nodes"), find(file, SLICES)
    assert nodes is not None
    assert slices is not None
    assert [each["metadata"]["name"] for each in nodes["items"]] == ["master1", "master2", "master3"]
    assert [each["addresses"] for each in slices["items"][0]["endpoints"]] == [["192.168.1.21"], ["192.168.1.23"]]
    endpoints = find(file, "/api/v1/namespaces/default/endpoints/kubernetes")
    assert endpoints is not None
    assert [each["ip"] for each in endpoints["subsets"][0]["addresses"]] == ["192.168.1.21", "192.168.1.23"]
    assert "while" not in json.dumps([nodes, slices, endpoints])


def test_objects_by_name_and_those_that_there_are_not(file: str, place: Place) -> None:
    """One of a list; without a file there is none."""
    assert (find(file, "/api/v1/nodes/master2") or {})["kind"] == "Node"
    assert find(file, "/api/v1/nodes/master9") is None
    assert find(file, "/api/v1/pods") is None
    assert find(str(place.dir / "none"), "/api") is None


def test_discovery_names_what_there_is(file: str) -> None:
    """kubectl looks up each resource before it asks for it."""
    for root in ("/api/v1", "/apis/discovery.k8s.io/v1"):
        for resource in (find(file, root) or {})["resources"]:
            assert find(file, f"{root}/{resource['name']}") is not None


def test_a_slice_has_addresses_of_a_kind(seed: Cluster, place: Place) -> None:
    """Of one IP version, with one port."""
    api = seed.frontends[0]
    odd = (*api.servers, Server("six", ip_address("fd00::1"), 6443), Server("other", ip_address("192.168.1.29"), 7443))
    cluster = replace(seed, frontends=(replace(api, servers=odd),))
    made = api_objects.objects(place, cluster, topology(cluster).of("server"))
    found = [
        (each["metadata"]["name"], each["addressType"], each["ports"][0]["port"]) for each in made[SLICES]["items"]
    ]
    assert found == [("kubernetes", "IPv4", 6443), ("kubernetes-2", "IPv6", 6443), ("kubernetes-3", "IPv4", 7443)]
