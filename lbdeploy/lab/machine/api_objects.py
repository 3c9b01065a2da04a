"""The objects that the lab's API servers show: enough for kubectl's get, and for `lbdeploy servers`.

An object in a list with the key `while` is there only as long as the file that it names: a server that is stopped is
no endpoint of the service `kubernetes` any more, as in a real cluster.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lbdeploy.config.model import Cluster, Server
from lbdeploy.lab.host.paths import Place, replace
from lbdeploy.lab.machine.kubeconfig import api_frontend
from lbdeploy.lab.machine.topology import Host

Object = dict[str, Any]
Member = tuple[str, Server]  # the lab's host, and the server that it stands for
SINCE = "2026-01-01T00:00:00Z"
ROLE = "node-role.kubernetes.io/control-plane"
SLICES = "/apis/discovery.k8s.io/v1"
VERSION = "v1.30.0-lab"


def path_of(place: Place) -> Path:
    """Where the stand-ins read them."""
    return place.dir / "api-objects"


def write(place: Place, cluster: Cluster, servers: Sequence[Host]) -> None:
    """Write them, for the servers behind the API's frontend."""
    replace(path_of(place), json.dumps(objects(place, cluster, servers)))


def objects(place: Place, cluster: Cluster, servers: Sequence[Host]) -> dict[str, Object]:
    """Every object by its path."""
    members = [(_host(servers, each).name, each) for each in api_frontend(cluster).servers]
    pids = {name: str(place.host(name) / "pid") for name, _ in members}
    nodes = _list("v1", "NodeList", [_node(name, each) for name, each in members])
    groups = _alike(members)
    named = (("kubernetes" if at == 0 else f"kubernetes-{at + 1}", group) for at, group in enumerate(groups))
    slices = _list("discovery.k8s.io/v1", "EndpointSliceList", [_slice(*each, pids) for each in named])
    endpoints = _list("v1", "EndpointsList", [_endpoints(groups, pids)])
    return {
        **_discovery(),
        "/api/v1/nodes": nodes,
        "/api/v1/endpoints": endpoints,
        "/api/v1/namespaces/default/endpoints": endpoints,
        f"{SLICES}/endpointslices": slices,
        f"{SLICES}/namespaces/default/endpointslices": slices,
    }


def _alike(members: Sequence[Member]) -> list[list[Member]]:
    """A slice has addresses of one IP version, all with the same port."""
    groups: dict[tuple[int, int], list[Member]] = {}
    for each in members:
        groups.setdefault((each[1].address.version, each[1].port), []).append(each)
    return list(groups.values())


def _host(servers: Sequence[Host], server: Server) -> Host:
    return next(host for host in servers if server.address in host.addresses)


def _list(version: str, kind: str, items: list[Object]) -> Object:
    return {"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": items}


def _metadata(name: str, labels: dict[str, str], namespace: str = "") -> Object:
    where = {"namespace": namespace} if namespace else {}
    more = {"uid": f"lab-{name}", "resourceVersion": "1", "creationTimestamp": SINCE, "labels": labels}
    return {"name": name, **where, **more}


def _node(name: str, server: Server) -> Object:
    addresses = [{"type": "InternalIP", "address": str(server.address)}, {"type": "Hostname", "address": name}]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"addresses": addresses, "conditions": [ready], "nodeInfo": {"kubeletVersion": VERSION}}
    return {"kind": "Node", "apiVersion": "v1", "metadata": _metadata(name, {ROLE: ""}), "spec": {}, "status": status}


def _slice(name: str, group: Sequence[Member], pids: dict[str, str]) -> Object:
    serving = {"conditions": {"ready": True}}
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": _metadata(name, {"kubernetes.io/service-name": "kubernetes"}, "default"),
        "addressType": f"IPv{group[0][1].address.version}",
        "endpoints": [{"addresses": [str(s.address)], **serving, "while": pids[host]} for host, s in group],
        "ports": [_port(group)],
    }


def _endpoints(groups: Sequence[Sequence[Member]], pids: dict[str, str]) -> Object:
    subsets = [
        {"addresses": [{"ip": str(s.address), "while": pids[host]} for host, s in group], "ports": [_port(group)]}
        for group in groups
    ]
    metadata = _metadata("kubernetes", {}, "default")
    return {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata, "subsets": subsets}


def _port(group: Sequence[Member]) -> Object:
    return {"name": "https", "port": group[0][1].port, "protocol": "TCP"}


def _discovery() -> dict[str, Object]:
    """What kubectl asks before it gets anything by name: versions, groups, and the resources of each."""
    group = {"groupVersion": "discovery.k8s.io/v1", "version": "v1"}
    slices = {"name": "discovery.k8s.io", "versions": [group], "preferredVersion": group}
    return {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [slices]},
        "/api/v1": _resources(
            "v1", [_resource("nodes", "Node", "no"), _resource("endpoints", "Endpoints", "ep", True)]
        ),
        SLICES: _resources("discovery.k8s.io/v1", [_resource("endpointslices", "EndpointSlice", "", True)]),
    }


def _resources(version: str, resources: list[Object]) -> Object:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _resource(name: str, kind: str, short: str, namespaced: bool = False) -> Object:
    names = {"name": name, "singularName": kind.lower(), "shortNames": [short] if short else []}
    return {**names, "kind": kind, "namespaced": namespaced, "verbs": ["get", "list", "watch"]}
