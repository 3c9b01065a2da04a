"""The rehearsal lab: real nodes for a hosts.toml on this machine, with its servers, a client and an operator.

Everything is in network namespaces of its own, at the addresses that the file gives; nothing reaches the machine's
network. The lab runs on by itself until `down`. Every function needs root and raises LabError.

This module is imported by every `lbdeploy --lab` command, so each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lbdeploy.config.model import Cluster, Ssh
from lbdeploy.events import Emit, silent

if TYPE_CHECKING:
    from lbdeploy.lab.machine.servers import Certificate, Demand
    from lbdeploy.lab.status import LabStatus


def up(cluster: Cluster, emit: Emit, *, suite: str | None = None, rebuild_image: bool = False) -> LabStatus:
    """Starts the parts of the lab that do not run, repairs damaged ones, and follows changes of hosts.toml.

    Returns when each node lets users log in and each server listens. `suite` is the name of a Debian release; the
    default is the lab's own, or bookworm.
    """
    from lbdeploy.lab import up

    return up.up(cluster, emit, suite, rebuild_image)


def down(cluster: Cluster, emit: Emit) -> None:
    """Removes the lab: processes, namespaces, disks. The cache with the image is kept."""
    from lbdeploy.lab import down

    down.down(cluster, emit)


def down_all(emit: Emit) -> list[str]:
    """Removes every lab of this machine, also those whose hosts.toml is gone; returns their ids."""
    from lbdeploy.lab import down

    return down.down_all(emit)


def status(cluster: Cluster) -> LabStatus:
    """What the lab consists of, and in what state it is."""
    from lbdeploy.lab import status

    return status.status(cluster)


def enter(cluster: Cluster) -> Ssh:
    """Puts this process into the operator's namespace, for good; returns how to log in to the nodes from there.

    To be called while the process has only one thread.
    """
    from lbdeploy.lab import enter

    return enter.enter(cluster)


def kubeconfig(cluster: Cluster) -> Path:
    """The kubeconfig with which kubectl asks the lab's API servers through the first VIP."""
    from lbdeploy.lab.host.paths import place_of
    from lbdeploy.lab.machine.kubeconfig import path_of

    return path_of(place_of(cluster.name, cluster.path))


def is_current(cluster: Cluster) -> bool:
    """Whether the lab was brought up for the hosts that hosts.toml has now; `up` makes it follow a change."""
    from lbdeploy.lab import enter

    return enter.is_current(cluster)


def exec_(cluster: Cluster, where: str, argv: Sequence[str]) -> int:
    """Runs a command as root: in a node, or in the network of a server, `client` or `operator`; its exit code.

    A single argument is a shell command; none is a shell.
    """
    from lbdeploy.lab import enter

    return enter.exec_(cluster, where, argv)


def stop(cluster: Cluster, name: str, emit: Emit) -> None:
    """Cuts a node's power, or ends a server: its ports refuse connections."""
    from lbdeploy.lab import actions

    actions.stop(cluster, name, emit)


def start(cluster: Cluster, name: str, emit: Emit) -> None:
    """Switches a node on, with the disk that it had, or starts a server. Returns when it answers."""
    from lbdeploy.lab import actions

    actions.start(cluster, name, emit)


def cut(cluster: Cluster, name: str, network: str | None = None, emit: Emit = silent, *, carrier: bool = False) -> None:
    """Pulls a host's cable to one network, or all its cables. They stay pulled when it reboots.

    With `carrier` the host notices nothing but silence: its link stays up, and packets are lost.
    """
    from lbdeploy.lab import actions

    actions.plug(cluster, name, network, "deaf" if carrier else "pulled", emit)


def join(cluster: Cluster, name: str, network: str | None = None, emit: Emit = silent) -> None:
    """Plugs a host's cable to one network in again, or all its cables."""
    from lbdeploy.lab import actions

    actions.plug(cluster, name, network, "in", emit)


def fresh(cluster: Cluster, name: str, emit: Emit) -> None:
    """Reinstalls a node: an empty disk and a new host key, which the operator's known_hosts does not know."""
    from lbdeploy.lab import actions

    actions.fresh(cluster, name, emit)


def drain(cluster: Cluster, name: str, emit: Emit = silent) -> None:
    """Lets a server's /readyz answer 500, as while a kube-apiserver shuts down; it serves on."""
    from lbdeploy.lab import actions

    actions.set_ready(cluster, name, False, emit)


def undrain(cluster: Cluster, name: str, emit: Emit = silent) -> None:
    """Lets a server's /readyz answer 200 again."""
    from lbdeploy.lab import actions

    actions.set_ready(cluster, name, True, emit)


def present(cluster: Cluster, name: str, kind: Certificate, emit: Emit = silent) -> None:
    """Has a server present such a certificate from its next connection on."""
    from lbdeploy.lab import actions

    actions.present(cluster, name, kind, emit)


def demand(cluster: Cluster, name: str, kind: Demand, emit: Emit = silent) -> None:
    """Has a server demand a token for /readyz, a client's certificate of everybody, or nothing."""
    from lbdeploy.lab import actions

    actions.demand(cluster, name, kind, emit)
