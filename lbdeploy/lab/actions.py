"""Actions on a running lab: power, cables, draining, reinstalling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LabError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.lab import manifest
from lbdeploy.lab.enter import require_current, require_powered
from lbdeploy.lab.image.build import Image
from lbdeploy.lab.machine import servers, wiring
from lbdeploy.lab.machine.topology import Host
from lbdeploy.lab.machine.wiring import Plug
from lbdeploy.lab.up import Lab, install, opened, power_off, start_nodes


@contextmanager
def _running(cluster: Cluster, emit: Emit) -> Iterator[Lab]:
    require_current(cluster)
    with opened(cluster, emit) as lab:
        require_current(cluster)  # another command may have removed it meanwhile
        yield lab


def stop(cluster: Cluster, name: str, emit: Emit) -> None:
    """Cuts a node's power, or ends a server."""
    with _running(cluster, emit) as lab:
        host = _machine(lab, name)
        if host.kind == "node":
            power_off(lab, host)
            emit(Done(host.name, "its power is cut"))
        else:
            servers.stop(lab.place, host)
            emit(Done(host.name, "stopped: it refuses connections"))


def start(cluster: Cluster, name: str, emit: Emit) -> None:
    """Switches a node on, with the disk that it had, or starts a server."""
    with _running(cluster, emit) as lab:
        host = _machine(lab, name)
        if host.kind == "node":
            start_nodes(lab, [host], _image(lab))
        elif not servers.pid_of(lab.place, host):
            require_powered(lab.place, host)
            servers.start(lab.place, [host])
            emit(Done(host.name, "started"))


def plug(cluster: Cluster, name: str, network: str | None, how: Plug, emit: Emit) -> None:
    """Plugs a host's cable to one network in or out, or all its cables."""
    with _running(cluster, emit) as lab:
        host = lab.plan.find(name)
        if host.node:
            message = f"{host.name} has no cable of its own: it runs on {host.node}"
            raise LabError(message, fix=f"name {host.node}; or end the server alone: lbdeploy lab stop {host.name}")
        cables = lab.plan.cables(host, network)
        wiring.plug(lab.place, host, cables, how)
        segments = ", ".join("+".join(lab.plan.segments[cable.segment]) for cable in cables)
        done = {"in": "plugged into", "pulled": "unplugged from", "deaf": "plugged in, but no packet passes, to"}
        emit(Done(host.name, f"{done[how]} {segments}"))


def fresh(cluster: Cluster, name: str, emit: Emit) -> None:
    """Reinstalls a node: an empty disk and a new host key, which the operator's known_hosts does not know."""
    with _running(cluster, emit) as lab:
        host = _machine(lab, name)
        if host.kind != "node":
            raise LabError(f"{host.name} is a {host.kind}", fix="name a node")
        emit(Step(host.name, "installing"))
        install(lab, host, _image(lab))
        start_nodes(lab, [host], _image(lab))


def set_ready(cluster: Cluster, name: str, ready: bool, emit: Emit) -> None:
    """Lets a server's /readyz answer 200, or 500 as while it shuts down."""
    with _running(cluster, emit) as lab:
        host = _machine(lab, name)
        servers.set_ready(lab.place, host, ready)
        emit(Done(host.name, "/readyz answers " + ("200" if ready else "500")))


def present(cluster: Cluster, name: str, kind: servers.Certificate, emit: Emit) -> None:
    """Has a server present such a certificate."""
    with _running(cluster, emit) as lab:
        host = _server(lab, name)
        servers.present(lab.place, host, kind)
        words = {
            "good": "it is that of all servers",
            "without-vips": "it lacks the VIPs",
            "expiring": "it ends in 10 days",
            "expired": "it has ended",
            "other-authority": "another authority has signed it",
        }
        emit(Done(host.name, f"presents another certificate: {words[kind]}"))


def demand(cluster: Cluster, name: str, kind: servers.Demand, emit: Emit) -> None:
    """What a server demands of who asks for /readyz."""
    with _running(cluster, emit) as lab:
        host = _server(lab, name)
        servers.demand(lab.place, host, kind)
        words = {
            "nothing": "answers /readyz to everybody",
            "token": f"answers /readyz with 401, but to who shows the token in {lab.place.dir / 'client.token'}",
            "certificate": f"takes connections of clients with a certificate: {lab.place.dir / 'client.pem'}",
        }
        emit(Done(host.name, words[kind]))


def _server(lab: Lab, name: str) -> Host:
    host = lab.plan.find(name)
    if host.kind != "server":
        raise LabError(f"{host.name} is a {host.kind}", fix="name a server")
    return host


def _machine(lab: Lab, name: str) -> Host:
    host = lab.plan.find(name)
    if host.kind not in {"node", "server"}:
        raise LabError(f"{host.name} has no power switch", fix="name a node or a server")
    return host


def _image(lab: Lab) -> Image:
    began = manifest.read(lab.place)
    if began is None:
        raise LabError("the lab is not up", fix=typed("lab", "up"))
    return Image(Path(began.image))
