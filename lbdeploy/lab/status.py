"""What a lab consists of, and in what state it is: as frozen data, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lbdeploy.config.model import Cluster
from lbdeploy.lab import manifest
from lbdeploy.lab.host.paths import Place, place_of
from lbdeploy.lab.host.requirements import require_root
from lbdeploy.lab.machine import kubeconfig, servers, wiring
from lbdeploy.lab.machine.nodes import leader
from lbdeploy.lab.machine.ssh_access import host_key
from lbdeploy.lab.machine.topology import Host, LabTopology, topology

HostState = Literal["on", "off", "up", "draining", "down"]
LabState = Literal["up", "partly", "changed", "down"]


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A machine of the lab. `addresses` are by network (a server's network is the one that it is attached to).

    `state`: a node is "on" or "off", a server "up", "draining" (/readyz answers 500) or "down", others are "up" or
    "down". `cut` are networks whose cable is pulled. `pid` is the node's PID 1 or the server's process on this machine.
    `host_key` is what `ssh-keygen -l` shows of the node's ed25519 host key, as its installation made it.
    """

    name: str
    kind: str
    state: HostState
    addresses: dict[str, list[str]]
    ports: list[int]
    cut: list[str]
    pid: int | None
    host_key: str | None

    @property
    def running(self) -> bool:
        return self.state in {"on", "up"}


@dataclass(frozen=True, slots=True)
class LabStatus:
    """A lab. `state`: "up", "partly" (something is stopped or cut), "changed" (hosts.toml is newer) or "down".

    `kubeconfig` is the path of the operator's, None where there is none yet.
    """

    id: str
    path: str
    state: LabState
    suite: str | None
    hosts: list[HostStatus]
    kubeconfig: str | None = None

    @property
    def nodes(self) -> list[HostStatus]:
        return [host for host in self.hosts if host.kind == "node"]

    @property
    def servers(self) -> list[HostStatus]:
        return [host for host in self.hosts if host.kind == "server"]

    def to_json(self) -> dict[str, Any]:
        """The same, ready for a JSON document."""
        return asdict(self)


def status(cluster: Cluster) -> LabStatus:
    """The lab of `cluster`, as it is. Raises LabError where that cluster can't have one."""
    require_root("lbdeploy lab status")
    place, plan = place_of(cluster.name, cluster.path), topology(cluster)
    began = manifest.read(place)
    hosts = [_host(place, plan, host) for host in plan.hosts]
    state = _state(place, cluster, hosts)
    config = kubeconfig.path_of(place)
    suite, shown = began.suite if began else None, str(config) if config.exists() else None
    return LabStatus(place.id, str(cluster.path), state, suite, hosts, shown)


def _state(place: Place, cluster: Cluster, hosts: list[HostStatus]) -> LabState:
    complete = manifest.is_complete(place, cluster)
    if complete is None:
        return "partly" if place.namespaces() else "down"
    if not complete:
        return "changed"
    return "up" if all(host.running and not host.cut for host in hosts) else "partly"


def _host(place: Place, plan: LabTopology, host: Host) -> HostStatus:
    state, pid = _running(place, host)
    cut = wiring.cut_ports(place, host.network)
    addresses: dict[str, list[str]] = {}
    for cable in host.cables:
        addresses["+".join(plan.segments[cable.segment])] = [str(each) for each in cable.addresses]
    networks = [name for cable in host.cables if cable.port in cut for name in plan.segments[cable.segment]]
    return HostStatus(host.name, host.kind, state, addresses, list(host.ports), networks, pid, _key(place, host))


def _running(place: Place, host: Host) -> tuple[HostState, int | None]:
    if host.kind == "node":
        pid = leader(place, host.name)
        return ("on" if pid else "off"), pid
    if host.kind == "server":
        pid = servers.pid_of(place, host)
        return ("down" if not pid else "up" if servers.is_ready(place, host) else "draining"), pid
    return ("up" if wiring.is_wired(place, host) else "down"), None


def _key(place: Place, host: Host) -> str | None:
    path = host_key(place, host.name)
    if host.kind != "node" or not path.exists():
        return None
    from lbdeploy.lab.machine.keys import fingerprint

    return fingerprint(path)
