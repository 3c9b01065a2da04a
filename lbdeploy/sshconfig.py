"""Where a host is and how to log in, as OpenSSH itself resolves it, and which keys of the host it knows.

paramiko reads only part of ssh_config(5) and of known_hosts (measured: Include, Match, wildcards, @markers), so
OpenSSH's own programs are asked: `ssh -G` and `ssh-keygen -F`. Neither contacts anything.
"""

from __future__ import annotations

import shlex
import subprocess
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lbdeploy.errors import ConnectError
from lbdeploy.model import Ssh


@dataclass(frozen=True, slots=True)
class Known:
    """A line of known_hosts that speaks of a host: its marker ("", "@revoked", "@cert-authority"), key type and key."""

    marker: str
    type: str
    key: str  # base64


@dataclass(frozen=True, slots=True)
class Target:
    """A host to log in to. `jumps` are the hosts on the way, the nearest first."""

    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    agent: str | None
    known: tuple[Known, ...]
    known_hosts_files: tuple[Path, ...]
    jumps: tuple[Target, ...] = ()

    @property
    def known_name(self) -> str:
        """How known_hosts names it: with the port, where that is not 22 (sshd(8))."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


class Resolving:
    """A lookup of one host, under way: `ssh -G` runs while others work."""

    def __init__(self, ssh: Ssh, host: str) -> None:
        self.ssh = ssh
        self.host = host
        self._process = _start(["ssh", *_options(ssh), "-G", "--", host])

    def result(self) -> Target:
        """The resolved host, with its jump hosts resolved, too. Raises ConnectError."""
        output, error = self._process.communicate()
        if self._process.returncode:
            raise ConnectError(f"ssh -G {self.host} failed: {error.strip()}", fix="mend your SSH configuration")
        values = _values(output)
        target = _target(values)
        jump = self.ssh.jump or values.get("proxyjump", ["none"])[0]
        return target if jump == "none" else replace(target, jumps=_jumps(self.ssh, jump))


def _options(ssh: Ssh) -> list[str]:
    settings = {"Port": ssh.port, "IdentityFile": ssh.identity_file, "UserKnownHostsFile": ssh.known_hosts_file}
    options = [word for key, value in settings.items() if value is not None for word in ("-o", f'{key}="{value}"')]
    user = ["-l", ssh.user] if ssh.user else []
    config = ["-F", str(ssh.config_file)] if ssh.config_file else []
    return [*config, *user, *options]


def _jumps(ssh: Ssh, jump: str) -> tuple[Target, ...]:
    """Each hop of `jump` (ssh_config(5), ProxyJump); it takes the operator's settings, not those for the nodes."""
    hops = []
    for hop in jump.split(","):
        user, at, host = hop.removeprefix("ssh://").rpartition("@")
        host, port = _split_port(host)
        own = Ssh(
            user=user if at else None, port=port, config_file=ssh.config_file, known_hosts_file=ssh.known_hosts_file
        )
        hops.append(replace(Resolving(own, host).result(), jumps=()))
    return tuple(hops)


def _split_port(host: str) -> tuple[str, int | None]:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return host.strip("[]"), None


def _values(output: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)
    return values


def _target(values: dict[str, list[str]]) -> Target:
    files = _paths(values.get("userknownhostsfile", []) + values.get("globalknownhostsfile", []))
    agent = values.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    target = Target(
        host=values["hostname"][0],
        port=int(values["port"][0]),
        user=values["user"][0],
        identity_files=tuple(path for line in values.get("identityfile", []) for path in _paths([line])),
        agent=None if agent == "none" else agent,
        known=(),
        known_hosts_files=files,
    )
    alias = values.get("hostkeyalias", [target.known_name])[0]
    return replace(target, known=_known(alias, files))


def _paths(lines: Sequence[str]) -> tuple[Path, ...]:
    # One line may name several files; a name with a space in it stands in quotes.
    paths = (Path(word).expanduser() for line in lines for word in shlex.split(line))
    return tuple(path for path in paths if path.exists())


def _known(name: str, files: Sequence[Path]) -> tuple[Known, ...]:
    """The lines about a host: `ssh-keygen -F` understands hashed names, wildcards and markers."""
    running = [_start(["ssh-keygen", "-F", name, "-f", str(path)]) for path in files]
    outputs = [process.communicate()[0] for process in running]
    lines = [line.split() for output in outputs for line in output.splitlines() if line and not line.startswith("#")]
    return tuple(known for words in lines if (known := _known_line(words)))


def _known_line(words: list[str]) -> Known | None:
    """None for a line that is damaged: it proves nothing."""
    marker = words[0] if words[0].startswith("@") else ""
    try:
        kind, key = words[2 if marker else 1 :][:2]
        b64decode(key, validate=True)
    except ValueError:
        return None
    return Known(marker, kind, key)


def _start(argv: Sequence[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise ConnectError(f"there is no {argv[0]} here", fix="apt-get install openssh-client") from None
