"""The lab's nodes: containers that boot Debian's own systemd, each with a power supply that outlives `lab up`.

The power supply is a shell script. It wires the node, boots it, and does so again when it reboots. A node runs in a PID
and a mount namespace of its own, so killing the first process there ends all of it at once, mounts included.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path

from lbdeploy.common.typed import typed
from lbdeploy.errors import LabError
from lbdeploy.lab.host import cgroups, processes
from lbdeploy.lab.host.paths import Place
from lbdeploy.lab.image.build import PACKAGES, Image
from lbdeploy.lab.machine import wiring
from lbdeploy.lab.machine.disk import disk_of, hostname_of
from lbdeploy.lab.machine.servers import ON_NODE, PROGRAM
from lbdeploy.lab.machine.topology import Host

_MACHINERY = ("sh", "unshare", "systemd-nspawn")  # what a node runs on


def power_on(place: Place, host: Host, image: Image) -> None:
    """Switches the node on; returns at once. Its disk must have been installed."""
    directory = place.host(host.name)
    wiring.write_wiring(place, host)
    (directory / "root").mkdir(exist_ok=True)
    (directory / "power").write_text(_power_script(place, host))
    (directory / "boot").write_text(_boot_script(place, host, image))
    processes.detach(["sh", str(directory / "power")], directory / "console.log")


def power_off(place: Place, host: Host) -> None:
    """Cuts the power: the node is silent at once, every process of it ends, and its addresses are gone."""
    wiring.pull_out(place, host)
    processes.kill(machinery(place.host(host.name)))
    processes.kill(each.pid for each in processes.processes_in([place.namespace_file(host.name)]))
    wiring.unwire([place.namespace(host.name)])


def machinery(directory: Path) -> list[int]:
    """The processes that nodes run on, found by their arguments: scripts and roots below `directory`."""
    return [
        process.pid
        for process in processes.processes()
        if os.path.basename(process.argv[0]) in _MACHINERY
        and any(arg.startswith((f"{directory}/", f"--directory={directory}/")) for arg in process.argv)
    ]


def leader(place: Place, name: str) -> int | None:
    """The node's PID 1, as this machine numbers it; None while it is off."""
    for process in processes.processes_in([place.namespace_file(name)]):
        # Three PID namespaces down: this machine's, the power supply's, the node's.
        if len(pids := process.pids) == 3 and pids[-1] == 1:
            return process.pid
    return None


def is_powered(place: Place, name: str) -> bool:
    """Whether the node is on, or its power supply is about to boot it again."""
    return bool(machinery(place.host(name)))


def _power_script(place: Place, host: Host) -> str:
    """Servers on the node are processes of this machine: of them, only the network would end with the node."""
    directory, namespace = place.host(host.name), place.namespace(host.name)
    return f"""#!/bin/sh
# The power supply of {host.name}.
cd '{directory}' || exit
end_servers() {{
    ip netns pids '{namespace}' 2>/dev/null | xargs -r kill -9
}}
while
    end_servers
    sh '{directory}/wire'
do
    [ ! -e {ON_NODE} ] || {shlex.join(PROGRAM)} < {ON_NODE}
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh '{directory}/boot'
    [ $? = 133 ] || break  # what systemd-nspawn says of a reboot
done
end_servers
ip netns del '{namespace}'
"""


def _boot_script(place: Place, host: Host, image: Image) -> str:
    directory, disk = place.host(host.name), disk_of(place, host.name)
    hostname, network = hostname_of(host.name), place.namespace_file(host.name)
    groups = " ".join(str(tree / host.name) for tree in cgroups.trees(place))
    layers = f"lowerdir={image.root},upperdir={disk}/changes,workdir={disk}/work"
    return f"""#!/bin/sh
# Boots {host.name} once.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn || exit
mount -t overlay overlay -o '{layers}' '{directory}/root' || exit
(
    for cgroup in {groups}; do
        mkdir -p "$cgroup" && echo 0 > "$cgroup/cgroup.procs"
    done
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY={int(cgroups.is_unified())} SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
    exec systemd-nspawn --directory='{directory}/root' --boot --quiet --register=no --keep-unit --console=pipe \\
        --machine='{hostname}' --hostname='{hostname}' --network-namespace-path='{network}' \\
        --capability=CAP_NET_ADMIN,CAP_NET_RAW --resolv-conf=off --timezone=off --link-journal=no \\
        --bind-ro='{image.repository}:{PACKAGES}'
)
"""


def wait(place: Place, name: str, answers: Callable[[], bool], given_up: Callable[[], bool], limit: float) -> None:
    """Returns when the node lets users log in: `answers` tells whether its sshd does. Raises LabError."""
    deadline, look_again = time.monotonic() + limit, time.monotonic() + 0.5
    while not (answers() and _admits(place, name)):
        if given_up():
            raise LabError("interrupted", node=name, fix=typed("lab", "up", after=" goes on"))
        if time.monotonic() > deadline:
            raise _boot_error(place, name, f"did not answer on SSH within {limit:.0f} s")
        if time.monotonic() > look_again:  # finding its processes costs more than asking its sshd
            look_again = time.monotonic() + 0.5
            if not is_powered(place, name):
                raise _boot_error(place, name, "did not boot")
        time.sleep(0.03)


def _admits(place: Place, name: str) -> bool:
    """Whether users may log in: pam_nologin(8) keeps them out early in the boot, when sshd may already answer."""
    pid = leader(place, name)
    return pid is not None and not Path(f"/proc/{pid}/root/run/nologin").exists()


def _boot_error(place: Place, name: str, what: str) -> LabError:
    log = place.host(name) / "console.log"
    end = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""
    fix: str = typed("lab", "fresh", name, before=f"read {log}; then: ")
    if few := processes.too_few_watches():
        what, fix = f"{what}: {few}", "sysctl fs.inotify.max_user_instances=1024; then: lbdeploy lab up"
    return LabError(f"{name} {what}. The end of its console:\n{end}", node=name, fix=fix)
