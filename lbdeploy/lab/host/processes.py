"""The machine that the lab runs on: running its commands, finding and ending its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lbdeploy.common.typed import typed
from lbdeploy.errors import LabError
from lbdeploy.lab.host.netns import network

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root"}  # the operator's environment does not enter the lab


def run(argv: Sequence[str], *, stdin: str = "", check: bool = True) -> str:
    """What the command prints. It inherits the lab's lock. Raises LabError where it fails and `check` is set."""
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, env=ENVIRONMENT, cwd="/", close_fds=False, check=False
    )
    if check and done.returncode:
        output = (done.stderr or done.stdout).strip()
        raise LabError(f"`{' '.join(argv)}` failed on this machine: {output}", detail=stdin, fix=typed("lab", "up"))
    return done.stdout


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine."""

    pid: int
    argv: tuple[str, ...]
    network: int  # inode of its network namespace

    @property
    def pids(self) -> tuple[int, ...]:
        """Its process IDs, from the one here to that in its innermost PID namespace; none when it has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ()
        return next(tuple(map(int, line.split()[1:])) for line in status.splitlines() if line.startswith("NSpid:"))


def processes() -> Iterator[Process]:
    """All processes that run now, without kernel threads and zombies."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                argv = Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                if argv:
                    yield Process(int(name), tuple(argv), os.stat(f"/proc/{name}/ns/net").st_ino)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # the process has ended, or is one that no lab could have started


def processes_in(namespaces: Iterable[Path]) -> Iterator[Process]:
    """Those whose sockets are in one of these network namespaces."""
    inodes = {network(each) for each in namespaces} - {None}
    return (process for process in processes() if process.network in inodes)


def kill(pids: Iterable[int], patience: float = 5.0) -> None:
    """Ends processes at once, parents first, and waits until they are gone; spares this process and its ancestors."""
    doomed = sorted(set(pids) - set(_ancestry()))
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(alive(pid) for pid in doomed):
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _ancestry() -> Iterator[int]:
    pid = os.getpid()
    while pid > 1:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def detach(argv: Sequence[str], log: Path) -> None:
    """Starts a command that outlives this process and its terminal."""
    forked = ["setsid", "--fork", *argv]
    with log.open("ab") as output:
        subprocess.run(
            forked, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=ENVIRONMENT, cwd="/", check=True
        )


def too_few_watches(proc: Path = Path("/proc")) -> str:
    """A problem that systemd does not report: it can't boot without inotify instances, which all nodes' roots share.

    Measured: a node takes about seven, so that the kernel's usual 128 are enough for some 18 nodes.
    """
    limit = int((proc / "sys/fs/inotify/max_user_instances").read_text())
    used = sum(_is_watch(link) for link in proc.glob("[0-9]*/fd/*"))
    return f"{used} of the {limit} inotify instances that root may have are taken" if used > limit - 8 else ""


def _is_watch(link: Path) -> bool:
    try:
        return str(link.readlink()) == "anon_inode:inotify"
    except OSError:  # the process has ended meanwhile
        return False
