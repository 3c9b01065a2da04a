"""The API servers of a cluster, as it names them itself.

Each kube-apiserver announces itself in the EndpointSlices of the service `kubernetes`, and is taken out of them within
15 seconds when it dies. So the slices are who serves now, and the control-plane nodes who belongs to the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from lbdeploy.config.model import Address
from lbdeploy.errors import ApiError
from lbdeploy.operations.kubernetes.kubectl import Kubectl

IN_DEFAULT = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
SLICES = f"{IN_DEFAULT}?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes"
ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"  # of clusters before 1.21
NODES = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane"
# The beginning of a label of k0s's controllers that are nodes, too; others of the same cluster may be none
# (k0s documentation, Configuration options for worker nodes: --enable-worker).
OF_K0S = "node.k0sproject.io/"
EMPTY = (
    "the cluster names no API server: its EndpointSlices have none but the VIPs, and no node is of its control plane"
)
UNREADABLE = "the Kubernetes API gives an answer that makes no sense"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """An API server, or a control-plane node that announces none (`announced`). `node` is its name, where known.

    `port` is None where nothing says it. `addresses` are all that its node has.
    """

    node: str | None
    address: Address
    port: int | None
    addresses: frozenset[Address]
    announced: bool


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What a cluster says. `complete`: the host of each of its API servers is a node, so that who is no node is gone.

    `shadowed`: addresses that it announces, but that are VIPs: who asks them asks the load balancer.
    """

    servers: tuple[ApiServer, ...]
    complete: bool
    shadowed: tuple[Address, ...] = ()
    without_nodes: ApiError | None = None


Endpoint = tuple[Address, int | None]
Nodes = dict[str, list[Address]]


def control_plane(kubectl: Kubectl, vips: Iterable[Address]) -> ControlPlane:
    """The API servers that the cluster names. Raises ApiError and UsageError."""
    slices = kubectl.get(SLICES)
    endpoints = list(_endpoints(slices if slices is not None else kubectl.get(ENDPOINTS) or "{}"))
    without = None
    nodes: Nodes = {}
    all_are_nodes = True
    try:
        told = kubectl.get(NODES) or "{}"
        nodes, all_are_nodes = dict(_nodes(told)), not _is_of_k0s(told)
    except ApiError as error:
        without = error
    return combined(endpoints, nodes, vips, without, all_are_nodes=all_are_nodes)


def combined(
    endpoints: Iterable[Endpoint],
    nodes: Nodes,
    vips: Iterable[Address],
    without: ApiError | None = None,
    *,
    all_are_nodes: bool = True,
) -> ControlPlane:
    """What slices and nodes say together. `all_are_nodes`: every API server's host is one, once it has joined.

    Raises ApiError where that is nothing.
    """
    reserved = set(vips)
    announced = sorted({each for each in endpoints if each[0] not in reserved}, key=_by_address)
    shadowed = sorted({each[0] for each in endpoints if each[0] in reserved}, key=_order)
    nodes = {name: [each for each in own if each not in reserved] for name, own in nodes.items()}
    servers = [_server(each, nodes) for each in announced]
    seen = {server.node for server in servers}
    silent = [_silent(name, own, trusted=not servers) for name, own in nodes.items() if own and name not in seen]
    if not servers and not silent:
        raise without or ApiError(EMPTY, fix="name the servers in hosts.toml by hand, as they are")
    complete = all_are_nodes and bool(servers) and all(server.node for server in servers)
    return ControlPlane((*servers, *silent), complete, tuple(shadowed), without)


def _server(endpoint: Endpoint, nodes: Nodes) -> ApiServer:
    address, port = endpoint
    node = next((name for name, own in nodes.items() if address in own), None)
    return ApiServer(node, address, port, frozenset({address, *nodes.get(node or "", ())}), announced=True)


def _silent(name: str, own: list[Address], *, trusted: bool) -> ApiServer:
    """A control-plane node without an API server; where nothing announces any, its address is taken for one."""
    return ApiServer(name, own[0], None, frozenset(own), announced=trusted)


def _endpoints(text: str) -> Iterator[Endpoint]:
    """Those of a list of EndpointSlices, or of an Endpoints object."""
    data = _object(text)
    for each in _objects(data.get("items")):
        port = _port(each.get("ports"))
        for endpoint in _objects(each.get("endpoints")):
            yield from ((address, port) for address in _addresses(endpoint.get("addresses")))
    for subset in _objects(data.get("subsets")):
        port = _port(subset.get("ports"))
        yield from ((a, port) for one in _objects(subset.get("addresses")) for a in _addresses([one.get("ip")]))


def _nodes(text: str) -> Iterator[tuple[str, list[Address]]]:
    """The nodes of a list, with their addresses, those of the cluster's own network first."""
    for each in _objects(_object(text).get("items")):
        name, status = _mapping(each.get("metadata")).get("name"), _mapping(each.get("status"))
        given = [(one.get("type"), one.get("address")) for one in _objects(status.get("addresses"))]
        own = [address for kind in ("InternalIP", "ExternalIP") for of, address in given if of == kind]
        if isinstance(name, str):
            yield name, list(_addresses(own))


def _is_of_k0s(text: str) -> bool:
    """Whether any node of a list has a label of k0s's."""
    metadata = [_mapping(each.get("metadata")) for each in _objects(_object(text).get("items"))]
    return any(label.startswith(OF_K0S) for each in metadata for label in _mapping(each.get("labels")))


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ApiError(UNREADABLE, fix="see whether the kubeconfig names the API itself, and no other web server")
    return data


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _addresses(values: object) -> Iterator[Address]:
    """Those of the texts that are addresses; others are names, of which a load balancer knows nothing."""
    for each in values if isinstance(values, list) else ():
        try:
            yield ip_address(str(each))
        except ValueError:
            continue


def _port(ports: object) -> int | None:
    """The port named https, or the only one."""
    given = [each for each in _objects(ports) if isinstance(each.get("port"), int)]
    named = [each for each in given if each.get("name") == "https"] or given
    return int(named[0]["port"]) if named and 0 < named[0]["port"] < 65536 else None


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _by_address(endpoint: Endpoint) -> tuple[tuple[int, int], int]:
    return _order(endpoint[0]), endpoint[1] or 0
