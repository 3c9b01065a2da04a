"""Who started a run, when, and with which command: for other runs, the journal, and the generations."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime


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
    now = datetime.now(UTC)
    command = command or shlex.join(["lbdeploy", *sys.argv[1:]])
    who = f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})"
    about = f"{who}, since {now:%Y-%m-%d %H:%M:%S} UTC: {command}"
    return Origin(f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z", _one_line(about), hosts.rstrip("\n"))


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:500]
