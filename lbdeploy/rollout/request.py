"""What was asked of a run, and by whom: its options, and its origin, as other runs and the generations tell it."""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to go. `limit`: the nodes to change, () for all; `ignore`: checks that do not stop it.

    `lock_wait`: seconds. The others are as in `lbdeploy up --help`.
    """

    limit: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    force_last: bool = False
    lock_wait: float = 0.0
    upgrade: bool = False
    reinstall: tuple[str, ...] = ()

    @property
    def typed(self) -> str:
        """The options that `up` needs to make the changes that `plan` has shown; for --limit, see Advice."""
        words = [f" --ignore {check}" for check in self.ignore] + [f" --reinstall {name}" for name in self.reinstall]
        return "".join([*words, " --upgrade" if self.upgrade else ""])


@dataclass(frozen=True, slots=True)
class Origin:
    """`id` sorts by time, and names the generation; `about` is one line for people.

    `hosts` is the text of the hosts.toml that the files are made from; it stays on the nodes, for `rollback`.
    """

    id: str
    about: str
    hosts: str


def origin(hosts: str, command: str | None = None) -> Origin:
    """The origin of this run: its command line, or `command` where that is given."""
    now = time.time()
    utc = time.gmtime(now)  # datetime takes 1 ms to import, before anybody is dialled
    command = command or shlex.join(["lbdeploy", *sys.argv[1:]])
    who = f"{user()} (process {os.getpid()})"
    about = f"{who}, since {time.strftime('%Y-%m-%d %H:%M:%S', utc)} UTC: {command}"
    number = f"{time.strftime('%Y%m%dT%H%M%S', utc)}.{int(now % 1 * 1000):03}Z"
    return Origin(number, _one_line(about), hosts.rstrip("\n"))


def user() -> str:
    """Who runs lbdeploy, and where: user@host."""
    import getpass  # which only runs need, and no --help
    import socket

    return f"{getpass.getuser()}@{socket.gethostname()}"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:500])
