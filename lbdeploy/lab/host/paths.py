"""Where a lab keeps its things. All of them are found again from its id alone, so `down` needs nothing else.

Directories and namespaces are named after the id, processes are known by the paths in their arguments.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbdeploy.errors import LabError

STATE = Path("/var/lib/lbdeploy-lab")
CACHE = Path("/var/cache/lbdeploy-lab")
NAMESPACES = Path("/run/netns")  # where ip-netns(8) keeps namespaces
SWITCH = "switch"
OPERATOR = "operator"
CLIENT = "client"

_LOCK_PATIENCE = 120.0  # seconds to wait for another lab command


@dataclass(frozen=True, slots=True)
class Place:
    """The directories and namespaces of the lab `id`."""

    id: str

    @property
    def dir(self) -> Path:
        return STATE / self.id

    def host(self, name: str) -> Path:
        """The folder of one host: its wiring, its disk, its console log."""
        return self.dir / "hosts" / name

    def hosts(self) -> list[str]:
        """Names of the hosts that have been created."""
        return sorted(path.name for path in (self.dir / "hosts").glob("*"))

    def namespace(self, name: str) -> str:
        """A host's network namespace, as ip-netns(8) names it."""
        return f"lbdeploy-{self.id}:{name}"

    def namespace_file(self, name: str) -> Path:
        return NAMESPACES / self.namespace(name)

    def namespaces(self) -> list[str]:
        """Names of the namespaces that exist."""
        return sorted(path.name for path in NAMESPACES.glob(f"lbdeploy-{self.id}:*"))


def place_of(name: str, path: Path) -> Place:
    """Where the lab of the cluster `name`, described by the file at `path`, is. Two files never share a lab."""
    return Place(f"{name}-{_mark(path)}")


def places() -> list[Place]:
    """Every lab of this machine, also one of which only namespaces are left."""
    kept = {path.name for path in STATE.glob("*") if path.is_dir()} if STATE.is_dir() else set()
    named = (re.fullmatch(r"lbdeploy-([^:]+):.*", path.name) for path in NAMESPACES.glob("lbdeploy-*"))
    return [Place(each) for each in sorted(kept | {match[1] for match in named if match})]


def namesakes(place: Place, path: Path) -> list[Place]:
    """Labs of the same file from when its cluster had another name."""
    return [each for each in places() if each.id.endswith(f"-{_mark(path)}") and each != place]


def _mark(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:6]


@contextmanager
def locked(place: Place, waiting: Callable[[], None]) -> Iterator[None]:
    """Locks the lab against other lab commands; `waiting` is called once if another one has it. Raises LabError."""
    descriptor = _locked(place)
    if descriptor is None:
        waiting()
        descriptor = _wait_for_lock(place, time.monotonic() + _LOCK_PATIENCE)
    try:
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(place: Place, deadline: float) -> int:
    while (descriptor := _locked(place)) is None:
        if time.monotonic() > deadline:
            message = f"another lab command has held the lab {place.id} for {_LOCK_PATIENCE:.0f} s"
            raise LabError(message, fix="wait for it, or end it, and try again")
        time.sleep(0.1)
    return descriptor


def _locked(place: Place) -> int | None:
    """The lab's directory, locked; None while another command holds it."""
    place.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    STATE.chmod(0o700)
    descriptor = os.open(place.dir, os.O_RDONLY | os.O_DIRECTORY)
    if _lock(descriptor) and _same(descriptor, place.dir):
        # Short-lived child processes inherit the lock: they may still be at work after this command is killed.
        os.set_inheritable(descriptor, True)
        return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(descriptor: int, path: Path) -> bool:
    """Whether the locked directory is still the one at `path`: `down` removes it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def replace(path: Path, text: str) -> None:
    """Writes a file atomically: it has its old content or the whole new one."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)
