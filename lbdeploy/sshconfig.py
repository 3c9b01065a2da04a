"""Where a host is and how to log in, as OpenSSH itself resolves it, and which keys of the host it knows.

paramiko reads only part of ssh_config(5) and of known_hosts (measured: Include, Match, wildcards, @markers), so
OpenSSH's own programs are asked: `ssh -G` and `ssh-keygen -F`. Neither contacts anything.
"""

from __future__ import annotations

import getpass
import re
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Sequence
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
        *jumps, target = self.hops(())
        return replace(target, jumps=tuple(jumps))

    def hops(self, after: tuple[str, ...] | None) -> tuple[Target, ...]:
        """The hosts on the way, and the host; `after` are the ways that led to it, None leaves its own out."""
        output, error = self._process.communicate()
        if self._process.returncode:
            raise ConnectError(f"ssh -G {self.host} failed: {error.strip()}", fix="mend your SSH configuration")
        values = _values(output)
        target = _target(self.ssh, values)
        jump = self.ssh.jump or values.get("proxyjump", ["none"])[0]
        return (target,) if jump == "none" or after is None else (*_jumps(self.ssh, jump, after), target)


def _options(ssh: Ssh) -> list[str]:
    port = ["-p", str(ssh.port)] if ssh.port else []
    user = ["-l", ssh.user] if ssh.user else []
    config = ["-F", str(ssh.config_file)] if ssh.config_file else []
    # Only to be told which keys the configuration adds to it: names are not quoted in what ssh -G prints.
    key = ["-o", "IdentityFile=/dev/null"] if ssh.identity_file else []
    return [*config, *user, *port, *key]


def _jumps(ssh: Ssh, jump: str, after: tuple[str, ...] = ()) -> tuple[Target, ...]:
    """Each hop of `jump` (ssh_config(5), ProxyJump); it takes the operator's settings, not those for the nodes.

    The first hop may have hops of its own before it; those of the others do not count, as with ssh itself.
    """
    if jump in after:
        raise ConnectError(f"the jump host {jump} is reached through itself", fix="mend your SSH configuration")
    hops: list[Target] = []
    for hop in jump.split(","):
        user, at, host = hop.removeprefix("ssh://").rpartition("@")
        host, port = _split_port(host)
        own = Ssh(
            user=user if at else None, port=port, config_file=ssh.config_file, known_hosts_file=ssh.known_hosts_file
        )
        hops += Resolving(own, host).hops(None if hops else (*after, jump))
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


def _target(ssh: Ssh, values: dict[str, list[str]]) -> Target:
    own = [ssh.identity_file] if ssh.identity_file else []
    keys = [*own, *(_expanded(path, values) for path in values.get("identityfile", []))]
    lines = [] if ssh.known_hosts_file else values.get("userknownhostsfile", [])
    lines = lines + values.get("globalknownhostsfile", [])
    files = [ssh.known_hosts_file] if ssh.known_hosts_file else []
    files += [path for line in lines for path in _paths(line)]
    agent = values.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    target = Target(
        host=values["hostname"][0],
        port=int(values["port"][0]),
        user=values["user"][0],
        identity_files=tuple(filter(Path.is_file, keys)),
        agent=None if agent == "none" else agent,
        known=(),
        known_hosts_files=tuple(filter(Path.is_file, files)),
    )
    alias = values.get("hostkeyalias", [target.known_name])[0]
    return replace(target, known=_known(alias, target.known_hosts_files))


def _expanded(path: str, values: dict[str, list[str]]) -> Path:
    """A key's name as ssh -G prints it, with the tokens in it replaced (ssh_config(5), TOKENS)."""
    tokens = {"%": "%", "d": str(Path.home()), "u": getpass.getuser()}
    tokens |= {"h": values["hostname"][0], "p": values["port"][0], "r": values["user"][0]}
    return Path(re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), path)).expanduser()


def _paths(line: str) -> Iterator[Path]:
    """The files that a line of ssh -G names. It parts them with spaces, and a name may have some, too."""
    words = line.split(" ")
    while words:
        paths = ((end, Path(" ".join(words[:end])).expanduser()) for end in range(len(words), 0, -1))
        end, path = next(((end, path) for end, path in paths if path.is_file()), (1, None))
        if path:
            yield path
        words = words[end:]


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
