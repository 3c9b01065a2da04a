"""The image that every node starts from: the root of a bare Debian, and a repository with the packages it may install.

Built once per suite and recipe, and kept in the cache. An image is built beside its final place and renamed when
complete.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbdeploy.common import debian
from lbdeploy.errors import LabError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.lab.host.paths import CACHE
from lbdeploy.lab.host.processes import ENVIRONMENT, run
from lbdeploy.lab.image.apt_sources import options, sources
from lbdeploy.lab.image.repository import index

PACKAGES = "/srv/packages"  # where a node finds the repository

# Raise it when the code below changes what an image holds.
_RECIPE_VERSION = 3
_INCLUDE = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "libpam-systemd",
    "netbase",
    "openssh-server",
    "procps",
    "sudo",
    "systemd",
    "systemd-sysv",
)
# python3 and python3-apt are for other tools that configure nodes, to compare with.
_INSTALLABLE = (*debian.PACKAGES, *debian.FIREWALL_PACKAGES, "curl", "python3", "python3-apt")


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: a directory of the cache."""

    path: Path

    @property
    def root(self) -> Path:
        return self.path / "root"

    @property
    def repository(self) -> Path:
        return self.path / "packages"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image has in it: a suite of Debian, and packages that a container has no use for, such as a kernel."""

    suite: str
    extra: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """How the names of its images in the cache begin, also of those that an earlier version built."""
        return "+".join((self.suite, *self.extra))

    @property
    def id(self) -> str:
        """Another one where this code, or what it asks for, is another."""
        recipe = repr((_RECIPE_VERSION, self.suite, (*_INCLUDE, *self.extra), _INSTALLABLE, PACKAGES))
        return hashlib.sha256(recipe.encode()).hexdigest()[:8]


def cached(recipe: Recipe) -> Image | None:
    """The newest image that was built by the recipe."""
    found = sorted(CACHE.glob(f"{recipe.prefix}-{recipe.id}-[0-9]*"))
    return Image(found[-1]) if found else None


def ensure(recipe: Recipe, emit: Emit, in_use: set[Path], *, rebuild: bool = False) -> Image:
    """The recipe's image, built where there is none or `rebuild` asks for it. Raises LabError."""
    began = time.time_ns()
    found = cached(recipe)
    if found and not rebuild:
        return found
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _building(emit) as lock:
        found = cached(recipe)  # another build may have made it meanwhile
        if found and (not rebuild or int(found.path.name.rpartition("-")[2]) > began):
            return found
        built = _build(recipe, emit, lock)
        _prune(recipe, {built.path} | in_use)
    emit(Done("image", f"{recipe.suite} is built, {_megabytes(built.path)} MB in {CACHE}"))
    return built


@contextmanager
def _building(emit: Emit) -> Iterator[int]:
    """Locks the cache against other builds; yields the descriptor of the lock."""
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            emit(Step("image", "waiting until another image is built"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _build(recipe: Recipe, emit: Emit, lock: int) -> Image:
    suite = recipe.suite
    half = CACHE / "half-built"
    remove(half)
    (half / "packages").mkdir(parents=True)
    emit(Step("image", f"building {suite}, once, about 30 s"))
    _mmdebstrap(recipe, half, emit, lock)
    emit(Step("image", f"building {suite}: indexing packages"))
    index(half / "packages", suite)
    _finish(half / "root")
    complete = CACHE / f"{recipe.prefix}-{recipe.id}-{time.time_ns()}"
    half.rename(complete)
    return Image(complete)


def _mmdebstrap(recipe: Recipe, half: Path, emit: Emit, lock: int) -> None:
    suite, log = recipe.suite, half / "build.log"
    with log.open("w") as output, _started(_arguments(recipe, half), lock) as process:
        for line in process.stdout or ():
            output.write(line)
            if line.startswith("I: ") and line.endswith("...\n"):  # a new step begins
                emit(Step("image", f"building {suite}: {line[3:-4]}"))
    if process.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        fix = f"read {log}; is {suite} on the mirror of this machine's apt sources, and can apt-get update reach it?"
        raise LabError(f"mmdebstrap could not build {suite}:\n{end}", fix=fix)


def _started(argv: list[str], lock: int) -> subprocess.Popen[str]:
    """Starts mmdebstrap, which mounts /proc, /sys and /dev under the root.

    It gets namespaces of its own, so that all of it ends with its first process, and that ends with this one. It
    inherits the lock, so that the next build waits for its end.
    """
    alone = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork"]
    return subprocess.Popen(
        [*alone, "--kill-child", "--mount-proc", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[lock],
        env=_environment(),
        cwd="/",
        umask=0o022,
    )


def _environment() -> dict[str, str]:
    proxies = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return {**ENVIRONMENT, **proxies, "TMPDIR": "/tmp", "DEBIAN_FRONTEND": "noninteractive"}  # noqa: S108


def _arguments(recipe: Recipe, half: Path) -> list[str]:
    download = f'chroot "$1" apt-get install --yes --download-only {" ".join(_INSTALLABLE)}'
    return [
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--include={','.join((*_INCLUDE, *recipe.extra))}",
        *(f"--aptopt={option}" for option in options()),
        f"--customize-hook={download}",
        f'--customize-hook=mv "$1"/var/cache/apt/archives/*.deb "{half}/packages/"',
        recipe.suite,
        str(half / "root"),
        *sources(recipe.suite),
    ]


def _finish(root: Path) -> None:
    """Makes the root one that can be booted as many machines, with the repository as its only apt source."""
    etc = root / "etc"
    for path in (*etc.glob("ssh/ssh_host_*"), *etc.glob("apt/apt.conf.d/99mmdebstrap"), etc / "apt/sources.list"):
        path.unlink(missing_ok=True)
    for name in ("machine-id", "resolv.conf", "hostname"):
        (etc / name).unlink(missing_ok=True)
        (etc / name).touch()
    for path in (etc / "apt/sources.list.d").iterdir():
        path.unlink()
    (etc / "apt/sources.list").write_text(f"deb [trusted=yes] file:{PACKAGES} ./\n")
    (root / PACKAGES[1:]).mkdir(parents=True)
    for path in (root.with_name("packages"), *root.with_name("packages").iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)  # apt reads it as an unprivileged user
    # They would take the dpkg lock at a random moment, to look for updates that can't be there.
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        (etc / "systemd/system/timers.target.wants" / timer).unlink(missing_ok=True)


def _prune(recipe: Recipe, keep: set[Path]) -> None:
    for path in CACHE.glob(f"{recipe.prefix}-*-[0-9]*"):
        if path not in keep:
            remove(path)


def _megabytes(path: Path) -> int:
    return int(run(["du", "--summarize", "--block-size=1M", str(path)]).split()[0])


def remove(path: Path) -> None:
    """Removes a tree, but nothing of a file system that is mounted in it. Raises LabError if one prevents it."""
    run(["rm", "--recursive", "--force", "--one-file-system", str(path)])
