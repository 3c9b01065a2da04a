"""`lab down`: ends and removes everything of a lab, whatever state it is in, by its id alone."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LabError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.lab.host import cgroups, processes, requirements
from lbdeploy.lab.host.paths import NAMESPACES, STATE, Place, locked, namesakes, place_of, places
from lbdeploy.lab.image.build import remove
from lbdeploy.lab.machine import servers, wiring
from lbdeploy.lab.machine.nodes import machinery


def down(cluster: Cluster, emit: Emit) -> None:
    """Removes the lab of `cluster`. The cache stays."""
    requirements.require_root("lbdeploy lab down")
    place = place_of(cluster.name, cluster.path)
    for each in (place, *namesakes(place, cluster.path)):
        _down(each, emit)


def down_all(emit: Emit) -> list[str]:
    """Removes every lab of this machine, also those whose hosts.toml is gone; their ids."""
    requirements.require_root("lbdeploy lab down")
    found = places()
    for place in found:
        _down(place, emit)
    return [place.id for place in found]


def _down(place: Place, emit: Emit) -> None:
    if not (place.dir.exists() or place.namespaces()):
        emit(Done("lab", f"there is no lab {place.id}"))
        return
    with locked(place, lambda: emit(Step("lab", "waiting for another lab command to end"))):
        emit(Step("lab", "removing nodes, servers and namespaces"))
        clear(place)
    emit(Done("lab", f"{place.id} is removed"))


def clear(place: Place) -> None:
    """Removes a lab that the caller has locked, or nobody can use. Raises LabError where something can't be removed."""
    processes.kill(machinery(place.dir))
    namespaces = place.namespaces()
    _kill_inside(namespaces)
    wiring.unwire(namespaces)
    cgroups.remove(place)
    if place.namespaces() or any(tree.exists() for tree in cgroups.trees(place)):
        raise LabError(f"something of the lab {place.id} could not be removed", fix=typed("lab", "down"))
    remove(place.dir)
    _remove_if_empty(STATE)


def clear_host(place: Place, name: str) -> None:
    """Removes one host."""
    processes.kill(machinery(place.host(name)))
    servers.stop_named(place, name)
    _kill_inside([place.namespace(name)])
    wiring.unwire([place.namespace(name)])
    remove(place.host(name))


def _kill_inside(namespaces: list[str]) -> None:
    processes.kill(process.pid for process in processes.processes_in(NAMESPACES / name for name in namespaces))


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:  # other labs are in it
        return
