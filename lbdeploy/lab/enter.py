"""Entering a running lab: with this process, or with a command."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Ssh
from lbdeploy.errors import LabError
from lbdeploy.lab import manifest
from lbdeploy.lab.host.netns import setns
from lbdeploy.lab.host.paths import OPERATOR, Place, place_of
from lbdeploy.lab.machine.ssh_access import access

if TYPE_CHECKING:
    from lbdeploy.lab.machine.topology import Host


def enter(cluster: Cluster) -> Ssh:
    """Puts this process into the operator's namespace, for good; returns how to log in to the nodes from there."""
    if threading.active_count() > 1:
        raise RuntimeError("only the calling thread would enter: do it before other threads start")
    place = place_of(cluster.name, cluster.path)
    is_current(cluster)  # raises if there is no lab; hosts.toml may have changed: that is what operators rehearse
    try:
        setns(place.namespace_file(OPERATOR))
    except OSError as error:
        fix = typed("lab", "up") if os.geteuid() == 0 else "run it with sudo"
        raise LabError(f"the lab's network can't be entered: {error.strerror}", fix=fix) from None
    return access(place, cluster)


def is_current(cluster: Cluster) -> bool:
    """Whether the lab was brought up for these very hosts. Raises LabError where it was not brought up at all."""
    if os.geteuid() != 0:
        raise LabError("only root can enter the lab", fix="run it with sudo")
    complete = manifest.is_complete(place_of(cluster.name, cluster.path), cluster)
    if complete is None:
        raise LabError("the lab is not up", fix=typed("lab", "up"))
    return complete


def require_current(cluster: Cluster) -> None:
    """Raises LabError unless the lab was brought up for these very hosts."""
    if not is_current(cluster):
        raise LabError("hosts.toml has changed since the lab was started", fix=typed("lab", "up"))


def require_powered(place: Place, host: Host) -> None:
    """Raises LabError for a server on a node that is off."""
    if host.node and not place.namespace_file(host.node).exists():
        message = f"{host.name} runs on {host.node}, which is off"
        raise LabError(message, node=host.node, fix=typed("lab", "start", host.node))


def exec_(cluster: Cluster, where: str, argv: Sequence[str]) -> int:
    """Runs a command as root in a node, or in another host's network; its exit code."""
    from lbdeploy.lab.host.processes import ENVIRONMENT
    from lbdeploy.lab.machine.topology import topology

    place = place_of(cluster.name, cluster.path)
    is_current(cluster)
    host = topology(cluster).find(where)
    command = ["sh", "-c", *argv] if len(argv) == 1 else list(argv) or ["sh"]
    if host.kind == "node":
        from lbdeploy.lab.machine.nodes import leader

        pid = leader(place, host.name)
        if pid is None:
            raise LabError(f"{host.name} is off", node=host.name, fix=typed("lab", "start", host.name))
        entry = ["nsenter", "--target", str(pid), "--all", "--root", "--wd"]
    else:
        require_powered(place, host)
        entry = ["ip", "netns", "exec", place.namespace(host.network)]
    return subprocess.call([*entry, *command], env={**ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")})
