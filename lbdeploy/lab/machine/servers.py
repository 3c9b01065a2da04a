"""The lab's servers: stand-ins for kube-apiserver, started together, since starting Python is most of their cost."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from lbdeploy.config.model import Cluster
from lbdeploy.lab.host import processes
from lbdeploy.lab.host.netns import network
from lbdeploy.lab.host.paths import Place, replace
from lbdeploy.lab.machine import api_objects
from lbdeploy.lab.machine.topology import Host

Certificate = Literal["good", "without-vips", "expiring", "expired", "other-authority"]
Demand = Literal["nothing", "token", "certificate"]
Spec = dict[str, Any]
DAYS = {"expiring": 10.0, "expired": -1.0}  # until such a certificate ends

ON_NODE = "servers"  # in a node's folder: what its power supply has that program start
# Without `site`, and isolated from the operator's environment, Python starts in half the time.
PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).with_name("apiserver.py")))


def ensure_certificate(place: Place, cluster: Cluster, servers: Sequence[Host]) -> bool:
    """Makes the stand-ins' certificate, where it is missing or lacks a name.

    Returns True if it was made: then running stand-ins still have the old one.
    """
    names = {str(vip.ip) for vip in cluster.vips} | {str(a) for host in servers for a in host.addresses}
    wanted = "\n".join(sorted({"kubernetes", "localhost", cluster.name.replace("_", "-"), *names}))
    file = place.dir / "certificate-names"
    if file.exists() and file.read_text() == wanted and (place.dir / "ca.key").exists():
        return False
    from lbdeploy.lab.machine.keys import make_certificate

    make_certificate(place.dir, wanted.split())
    file.write_text(wanted)
    return True


def start(place: Place, servers: Sequence[Host]) -> None:
    """Starts stand-ins, after stopping those that run; when this returns, all listen. Raises LabError."""
    if not servers:
        return
    for host in servers:
        stop(place, host)
    processes.run(PROGRAM, stdin=_input(place, servers))


def install(place: Place, node: Host, servers: Sequence[Host]) -> None:
    """Has a node start these whenever it boots, as a kubelet starts the API server of its host."""
    file = place.host(node.name) / ON_NODE
    file.unlink(missing_ok=True)
    if servers:
        for each in (node, *servers):
            place.host(each.name).mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(file, _input(place, servers))


def _input(place: Place, servers: Sequence[Host]) -> str:
    """What the program reads that starts them. It keeps each one's part in the server's folder."""
    return json.dumps(
        {"certificate": str(place.dir / "server.pem"), "servers": [_spec(place, each) for each in servers]}
    )


def is_current(place: Place, host: Host) -> bool:
    """Whether the stand-in runs, at the ports that it should have."""
    return pid_of(place, host) is not None and _started(place, host.name) == _spec(place, host)


def displaced(place: Place, servers: Iterable[Host]) -> list[str]:
    """Names of those that were started elsewhere: on a machine of their own, or on another node."""
    began = ((host, _started(place, host.name)) for host in servers)
    return [host.name for host, spec in began if spec and spec["namespace"] != _spec(place, host)["namespace"]]


def _started(place: Place, name: str) -> Spec:
    """What a stand-in was started with last; nothing if it never was."""
    try:
        return dict(json.loads((place.host(name) / "spec").read_text()))
    except FileNotFoundError:
        return {}


def _spec(place: Place, host: Host) -> Spec:
    return {
        "name": host.name,
        "namespace": str(place.namespace_file(host.network)),
        "directory": str(place.host(host.name)),
        "address": str(host.addresses[0]),
        "ports": list(host.ports),
        "objects": str(api_objects.path_of(place)),
    }


def stop(place: Place, host: Host) -> None:
    """Ends a stand-in: its ports refuse connections at once."""
    stop_named(place, host.name)


def stop_named(place: Place, name: str) -> None:
    """The same for one that hosts.toml may not have any more."""
    pid = _pid(place, name)
    processes.kill([pid] if pid else [])
    (place.host(name) / "pid").unlink(missing_ok=True)


def pid_of(place: Place, host: Host) -> int | None:
    """The stand-in's process ID, if it runs where it should."""
    return None if displaced(place, [host]) else _pid(place, host.name)


def _pid(place: Place, name: str) -> int | None:
    """From its pid file, if that process is in the namespace that the stand-in was started in."""
    try:
        pid = int((place.host(name) / "pid").read_text())
        where = Path(_started(place, name)["namespace"])
        inside = Path(f"/proc/{pid}/ns/net").stat().st_ino == network(where)
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return pid if inside and processes.alive(pid) else None


def present(place: Place, host: Host, kind: Certificate) -> None:
    """Has a server present a certificate of its own from the next connection on, or that of all servers again."""
    from lbdeploy.lab.machine.keys import make_authority, make_other

    file, folder = place.host(host.name) / "server.pem", place.dir
    file.unlink(missing_ok=True)
    if kind == "other-authority":
        folder = place.host(host.name) / "other-authority"
        folder.mkdir(exist_ok=True)
        make_authority(folder)
    names = (place.dir / "certificate-names").read_text().split()
    if kind == "without-vips":
        names = ["kubernetes", *map(str, host.addresses)]
    if kind != "good":
        make_other(file, folder, names, DAYS.get(kind, 3650))


def demand(place: Place, host: Host, kind: Demand) -> None:
    """What a server demands of who asks for /readyz: a token, which client.token of the lab holds, or a certificate."""
    token, authority = (place.host(host.name) / name for name in ("token", "client-ca.pem"))
    for file in (token, authority):
        file.unlink(missing_ok=True)
    if kind == "token":
        write_token(place.dir / "client.token")
        token.write_text((place.dir / "client.token").read_text())
    elif kind == "certificate":
        authority.write_bytes((place.dir / "ca.pem").read_bytes())


def write_token(file: Path) -> None:
    """Writes the lab's token, if it has none yet."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32) + "\n")


def set_ready(place: Place, host: Host, ready: bool) -> None:
    """Lets /readyz answer 200, or 500 as a kube-apiserver does that is shutting down."""
    flag = place.host(host.name) / "notready"
    flag.unlink(missing_ok=True) if ready else flag.touch()


def is_ready(place: Place, host: Host) -> bool:
    """Whether /readyz answers 200."""
    return not (place.host(host.name) / "notready").exists()
