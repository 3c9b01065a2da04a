"""`lab up`: creates what is missing, starts what does not run, and replaces what differs from hosts.toml."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbdeploy.common.debian import DEBIAN
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LabError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.lab import manifest
from lbdeploy.lab.down import clear, clear_host
from lbdeploy.lab.host import requirements
from lbdeploy.lab.host.paths import OPERATOR, Place, locked, namesakes, place_of, places, replace
from lbdeploy.lab.image import build
from lbdeploy.lab.image.build import Image, Recipe
from lbdeploy.lab.machine import api_objects, disk, kubeconfig, nodes, servers, ssh_access, wiring
from lbdeploy.lab.machine.ssh_probe import ssh_answers
from lbdeploy.lab.machine.topology import Host, LabTopology, topology
from lbdeploy.lab.status import LabStatus, status

DEFAULT_SUITE = DEBIAN["12"]
_BOOT_LIMIT = 60.0  # seconds within which a node must boot


@dataclass(frozen=True)
class Lab:
    """A lab as it should be; it is passed to every step of a command."""

    place: Place
    cluster: Cluster
    plan: LabTopology
    emit: Emit


@contextmanager
def opened(cluster: Cluster, emit: Emit) -> Iterator[Lab]:
    """The lab of `cluster`, locked against other lab commands. Raises LabError."""
    requirements.require_root()
    lab = Lab(place_of(cluster.name, cluster.path), cluster, topology(cluster), emit)
    with locked(lab.place, lambda: emit(Step("lab", "waiting for another lab command to end"))):
        yield lab


def up(cluster: Cluster, emit: Emit, suite: str | None, rebuild_image: bool) -> LabStatus:
    """Brings the lab up. Raises LabError; another `up` then completes what was begun, or `down` removes it."""
    with opened(cluster, emit) as lab:
        base = _image(lab, suite, rebuild_image)
        surround(lab)
        start_nodes(lab, lab.plan.of("node"), base)
        _start_servers(lab, on_nodes=True)
        manifest.set_complete(lab.place, cluster)
        emit(Done("lab", f"up: {len(lab.plan.of('node'))} nodes, {len(lab.plan.of('server'))} servers"))
    return status(cluster)


def surround(lab: Lab) -> None:
    """Makes and starts all but the nodes: keys, switch, servers, client and operator."""
    _forget(lab)
    _prepare(lab)
    wiring.switch_on(lab.place, lab.plan)
    _wire_guests(lab)
    _start_servers(lab)


def _image(lab: Lab, suite: str | None, rebuild: bool) -> Image:
    """The image under the lab's disks: the one that the lab began with, as long as it exists."""
    began = manifest.read(lab.place)
    if began and suite and suite != began.suite:
        fix = f"lbdeploy lab down, then: lbdeploy lab up --suite {suite}"
        raise LabError(f"the lab runs {began.suite}, not {suite}", fix=fix)
    suite = suite or (began.suite if began else DEFAULT_SUITE)
    recipe = Recipe(suite)
    base = Image(Path(began.image)) if began and Path(began.image).is_dir() else None
    requirements.require(build=rebuild or not (base or build.cached(recipe)))
    if base and not rebuild:
        return base
    built = build.ensure(recipe, lab.emit, images_in_use(), rebuild=rebuild)
    if base:
        lab.emit(Note("image", "the nodes keep the old one until: lbdeploy lab down"))
        return base
    manifest.write(lab.place, manifest.Manifest(str(lab.cluster.path), suite, str(built.path)))
    return built


def images_in_use() -> set[Path]:
    """The images under the disks of this machine's labs."""
    return {Path(began.image) for each in places() if (began := manifest.read(each))}


def _forget(lab: Lab) -> None:
    """Removes hosts that hosts.toml no longer has."""
    if not manifest.is_complete(lab.place, lab.cluster):
        manifest.unset_complete(lab.place)
    for other in namesakes(lab.place, lab.cluster.path):
        lab.emit(Note("lab", f"removing {other.id}: the cluster has another name now"))
        clear(other)
    wanted = {host.name for host in lab.plan.hosts}
    for name in {*lab.place.hosts()} - wanted | {*servers.displaced(lab.place, lab.plan.of("server"))}:
        clear_host(lab.place, name)


def _prepare(lab: Lab) -> None:
    ssh_access.ensure_key(lab.place)
    ssh_access.write_config(lab.place, lab.cluster)
    kubeconfig.write(lab.place, lab.cluster)
    for host in lab.plan.of("node"):
        servers.install(lab.place, host, lab.plan.on(host))
    api_objects.write(lab.place, lab.cluster, lab.plan.of("server"))
    if servers.ensure_certificate(lab.place, lab.cluster, lab.plan.of("server")):
        for host in lab.plan.of("server"):
            servers.stop(lab.place, host)


def _wire_guests(lab: Lab) -> None:
    """Wires everything but the nodes, whose power supplies do it."""
    own = [host for host in lab.plan.hosts if host.kind != "node" and not host.node]
    guests = [host for host in own if not wiring.is_wired(lab.place, host)]
    for host in guests:
        if host.kind == "server":
            servers.stop(lab.place, host)
    _in_parallel(lambda host: wiring.wire(lab.place, host), guests)
    for host in (*lab.plan.of("node"), *own):
        if wiring.cut_ports(lab.place, host.name):
            wiring.plug(lab.place, host, host.cables, "in")


def _start_servers(lab: Lab, *, on_nodes: bool = False) -> None:
    """Starts those with machines of their own, or those on nodes that did not come up with their node."""
    every = [host for host in lab.plan.of("server") if bool(host.node) == on_nodes]
    for host in every:
        servers.set_ready(lab.place, host, ready=True)
    servers.start(lab.place, [host for host in every if not servers.is_current(lab.place, host)])


def start_nodes(lab: Lab, hosts: Sequence[Host], base: Image) -> None:
    """Installs nodes that are not installed, boots those that are off, and waits for all of them."""
    new = [host for host in hosts if not _is_installed(lab, host, base)]
    for host in new:
        lab.emit(Step(host.name, "installing"))
        install(lab, host, base)
    ssh_access.remember(lab.place, lab.cluster, [lab.cluster.node(host.name) for host in new])
    off = [host for host in hosts if not _is_on(lab, host)]
    _boot(off, lab, base)
    _wait(hosts, lab, base, off)


def _is_installed(lab: Lab, host: Host, base: Image) -> bool:
    mark = lab.place.host(host.name) / "installed"
    return mark.exists() and mark.read_text() == _installation(lab, base)


def _installation(lab: Lab, base: Image) -> str:
    """What a node's disk depends on: if it changes, the node has to be installed again."""
    ssh = ssh_access.access(lab.place, lab.cluster)
    return f"{ssh.user} {ssh.port} {base.path}"


def install(lab: Lab, host: Host, base: Image) -> None:
    """Installs a node anew, whatever its state; it stays off."""
    power_off(lab, host)
    mark = lab.place.host(host.name) / "installed"
    mark.unlink(missing_ok=True)
    ssh = ssh_access.access(lab.place, lab.cluster)
    disk.install(lab.place, host.name, base.root, ssh.user or "ops", ssh.port or 22)
    replace(mark, _installation(lab, base))


def power_off(lab: Lab, host: Host) -> None:
    """Cuts a node's power, and with it that of the servers that run there."""
    nodes.power_off(lab.place, host)
    for each in lab.plan.on(host):
        servers.stop(lab.place, each)


def _is_on(lab: Lab, host: Host) -> bool:
    return nodes.is_powered(lab.place, host.name) and wiring.is_wired(lab.place, host)


def _boot(hosts: Sequence[Host], lab: Lab, base: Image) -> None:
    for host in hosts:
        lab.emit(Step(host.name, "booting"))
        power_off(lab, host)
        nodes.power_on(lab.place, host, base)


def _wait(hosts: Sequence[Host], lab: Lab, base: Image, booted: Sequence[Host]) -> None:
    """Returns when each node lets users log in.

    One that was on, and so was not `booted` just now, may have been about to end after a crash: it is booted, too.
    """
    given_up = threading.Event()

    def wait(host: Host) -> None:
        try:
            nodes.wait(lab.place, host.name, lambda: _answers(lab, host), given_up.is_set, _BOOT_LIMIT)
        except LabError:
            if given_up.is_set() or nodes.is_powered(lab.place, host.name) or host in booted:
                raise
            _boot([host], lab, base)
            nodes.wait(lab.place, host.name, lambda: _answers(lab, host), given_up.is_set, _BOOT_LIMIT)

    with ThreadPoolExecutor(max_workers=max(len(hosts), 1)) as pool:
        waiting = {pool.submit(wait, host): host.name for host in hosts}
        try:
            for future in as_completed(waiting):
                future.result()
                lab.emit(Done(waiting[future], "sshd answers"))
        finally:
            given_up.set()


def _answers(lab: Lab, host: Host) -> bool:
    """Whether the node's sshd answers the operator, or can't because somebody has pulled a cable."""
    if any(wiring.cut_ports(lab.place, each) for each in (host.name, OPERATOR)):
        return True
    address = ssh_access.address_of(lab.cluster, lab.cluster.node(host.name))
    port = ssh_access.access(lab.place, lab.cluster).port or 22
    return ssh_answers(lab.place.namespace_file(OPERATOR), address, port)


def _in_parallel(work: Callable[[Host], None], hosts: Sequence[Host]) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(work, hosts))
