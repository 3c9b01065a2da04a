"""What this machine needs to run a lab. All that is missing is reported at once, with how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lbdeploy.errors import LabError
from lbdeploy.lab.host.paths import CACHE, STATE
from lbdeploy.lab.host.processes import ENVIRONMENT, PATH

_TOOLS = {  # the programs, by Debian's package
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
_BUILD_TOOLS = {"apt-config": "apt", "dpkg-deb": "dpkg", "mmdebstrap": "mmdebstrap", "setpriv": "util-linux"}
_NEEDED_MEGABYTES = 2000


def require_root(command: str = "lbdeploy lab up") -> None:
    """Raises LabError unless this is run as root, on Linux."""
    if sys.platform != "linux":
        raise LabError("the lab needs Linux: its nodes are containers", fix="run it on a Debian machine, as root")
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces and containers", fix=f"sudo {command}")


def require(*, build: bool) -> None:
    """Raises LabError unless a lab can run here and, where `build` is set, an image be built."""
    require_root()
    tools = _TOOLS | (_BUILD_TOOLS if build else {})
    missing = [*_missing_tools(tools), *_missing_keys(build), *_missing_kernel(), *_missing_room(build)]
    if missing:
        raise LabError(
            "this machine can't run the lab: " + "; ".join(what for what, _ in missing),
            fix="; ".join(dict.fromkeys(fix for _, fix in missing)),
        )


Missing = Iterator[tuple[str, str]]


def _missing_tools(tools: dict[str, str]) -> Missing:
    absent = [tool for tool in tools if not shutil.which(tool, path=PATH)]
    packages = " ".join(sorted({tools[tool] for tool in absent}))
    yield from ((f"{tool} is not installed", f"apt-get install {packages}") for tool in absent)


def _missing_keys(build: bool) -> Missing:
    if build and not any(Path("/usr/share/keyrings").glob("debian-archive-*")):
        yield "the keys of Debian's archive are not installed", "apt-get install debian-archive-keyring"


def _missing_kernel() -> Missing:
    if "\toverlay\n" not in Path("/proc/filesystems").read_text() and not _succeeds("modprobe", "overlay"):
        yield "its kernel has no overlay file system", "use a kernel with overlayfs, such as Debian's"
    elif _file_system(STATE) == "overlay":
        yield f"{STATE} is on an overlay file system, which can't carry another", f"mount another one at {STATE}"
    if shutil.which("unshare", path=PATH) and not _succeeds("unshare", "--mount", "--net", "--pid", "--fork", "true"):
        yield "it may not make namespaces", "run it on a machine, or in a privileged container"
    if not any(Path("/sys/fs/cgroup").glob("*")):
        yield "/sys/fs/cgroup is empty", "mount the cgroup2 file system there"


def _succeeds(*argv: str) -> bool:
    try:
        return subprocess.run(argv, env=ENVIRONMENT, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _file_system(path: Path) -> str:
    """The type of the file system that `path` is on, or would be."""
    real = next(each for each in (path, *path.parents) if each.exists()).resolve()
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    around = [(len(m[1]), m[2]) for m in mounts if real.is_relative_to(m[1].replace("\\040", " "))]
    return max(around, default=(0, "unknown"))[1]  # in a chroot, no mount may be around it


def _missing_room(build: bool) -> Missing:
    for path in (STATE, *([CACHE] if build else [])):
        there = next(each for each in (path, *path.parents) if each.exists())
        free = shutil.disk_usage(there).free // 1_000_000
        if free < _NEEDED_MEGABYTES:
            yield f"{path} has {free} MB of {_NEEDED_MEGABYTES} MB free", f"make room on the file system of {there}"
