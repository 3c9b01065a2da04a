"""Where a host is and how to log in, as OpenSSH itself resolves it, and which keys of the host it knows.

paramiko reads only part of ssh_config(5) and of known_hosts (measured: Include, Match, wildcards, @markers), so
OpenSSH's own programs are asked: `ssh -G` and `ssh-keygen -F`. Neither contacts anything.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lbdeploy.answers import SUDO_VARIABLE
from lbdeploy.errors import ConnectError
from lbdeploy.knownhosts import known_name
from lbdeploy.model import Ssh

NOT_BEGUN = "nobody has logged in"
CONNECT_SECONDS = 10.0  # where neither hosts.toml nor ConnectTimeout says another time
NEW_KEYS: Mapping[str, Literal["accept", "ask", "refuse"]] = {
    "ask": "ask", "accept-new": "accept",
    "no": "accept", "off": "accept", "false": "accept",  # what OpenSSH does besides, with a changed key, we never do
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A line of known_hosts that speaks of a host: its marker ("", "@revoked", "@cert-authority"), key type and key."""

    marker: str
    type: str
    key: str  # base64


@dataclass(frozen=True, slots=True)
class Target:
    """A host to log in to. `jumps` are the hosts on the way, the nearest first.

    `key_name` is what known_hosts calls it; `new_keys` what becomes of a key that is not there, `remember_in` the file
    that such a key is written to, `hash_names` whether its name is hidden. `agent` is the socket of the agent.
    """

    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    certificates: tuple[Path, ...]
    identities_only: bool
    agent: Path | None
    key_name: str
    known: tuple[Known, ...]
    known_hosts_files: tuple[Path, ...]
    new_keys: Literal["accept", "ask", "refuse"]
    remember_in: Path | None
    hash_names: bool
    host_key_algorithms: tuple[str, ...]
    authority_algorithms: tuple[str, ...]
    connect_timeout: float
    proxy_command: str | None = None
    jumps: tuple[Target, ...] = ()


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
            message, fix = f"ssh -G {self.host} failed: {error.strip()}", "mend ~/.ssh/config, or [ssh] in hosts.toml"
            raise ConnectError(message, state=NOT_BEGUN, fix=fix)
        values = _values(output)
        jump = self.ssh.jump or values.get("proxyjump", ["none"])[0]
        direct = jump == "none" and after is not None
        target = replace(_target(self.ssh, values), proxy_command=_proxy_command(values) if direct else None)
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
        message, fix = f"the jump host {jump} is reached through itself", "mend ProxyJump in ~/.ssh/config"
        raise ConnectError(message, state=NOT_BEGUN, fix=fix)
    hops: list[Target] = []
    for hop in jump.split(","):
        user, at, host = hop.removeprefix("ssh://").rpartition("@")
        host, port = _split_port(host)
        own = Ssh(
            user=user if at else None,
            port=port,
            config_file=ssh.config_file,
            known_hosts_file=ssh.known_hosts_file,
            connect_timeout=ssh.connect_timeout,
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
    name, port = values["hostname"][0], int(values["port"][0])
    own = [ssh.identity_file] if ssh.identity_file else []
    lines = [] if ssh.known_hosts_file else values.get("userknownhostsfile", [])
    users = [ssh.known_hosts_file] if ssh.known_hosts_file else []
    users += [path for line in lines for path in _paths(line)]
    system = [path for line in values.get("globalknownhostsfile", []) for path in _paths(line)]
    key_name = values.get("hostkeyalias", [known_name(name, port)])[0]
    files = tuple(filter(Path.is_file, [*users, *system]))
    return Target(
        host=name,
        port=port,
        user=values["user"][0],
        identity_files=tuple(filter(_is_key, [*own, *_files("identityfile", values)])),
        certificates=tuple(filter(Path.is_file, _files("certificatefile", values))),
        identities_only=values.get("identitiesonly") == ["yes"],
        agent=_agent(values),
        key_name=key_name,
        known=_known(key_name, files),
        known_hosts_files=files,
        new_keys=NEW_KEYS.get(values.get("stricthostkeychecking", ["ask"])[0], "refuse"),
        remember_in=next((path for path in users if path not in (Path("/dev/null"), Path("none"))), None),
        hash_names=values.get("hashknownhosts") == ["yes"],
        host_key_algorithms=_list("hostkeyalgorithms", values),
        authority_algorithms=_list("casignaturealgorithms", values),
        connect_timeout=ssh.connect_timeout or _seconds(values),
    )


def _is_key(path: Path) -> bool:
    """A key, or the public half of one that the agent has."""
    return path.is_file() or path.with_name(f"{path.name}.pub").is_file()


def _files(key: str, values: dict[str, list[str]]) -> list[Path]:
    return [Path(_expanded(path, values)).expanduser() for path in values.get(key, [])]


def _list(key: str, values: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(filter(None, values.get(key, [""])[0].split(",")))


def _seconds(values: dict[str, list[str]]) -> float:
    told = values.get("connecttimeout", ["none"])[0]
    return float(told) if told.isdigit() and told != "0" else CONNECT_SECONDS


def _agent(values: dict[str, list[str]]) -> Path | None:
    """The agent's socket: the environment names it, unless IdentityAgent does, or names another variable."""
    told = values.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    if told == "SSH_AUTH_SOCK" or told.startswith("$"):
        told = os.environ.get(told.strip("${}"), "none")
    return None if told in ("none", "") else Path(_expanded(told, values)).expanduser()


def _proxy_command(values: dict[str, list[str]]) -> str | None:
    told = values.get("proxycommand", ["none"])[0]
    return None if told == "none" else _expanded(told, values)


def _expanded(text: str, values: dict[str, list[str]]) -> str:
    """What ssh -G prints, with the tokens in it replaced (ssh_config(5), TOKENS)."""
    name = values["hostname"][0]
    tokens = {"%": "%", "d": str(Path.home()), "u": getpass.getuser(), "i": str(os.getuid()), "l": socket.gethostname()}
    tokens |= {"h": name, "p": values["port"][0], "r": values["user"][0], "n": values.get("host", [name])[0]}
    tokens |= {"k": values.get("hostkeyalias", [tokens["n"]])[0], "L": tokens["l"].partition(".")[0]}
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _paths(line: str) -> Iterator[Path]:
    """The files that a line of ssh -G names. It parts them with spaces, and a name of a file may have some, too."""
    words = line.split(" ")
    while words:
        paths = ((end, Path(" ".join(words[:end])).expanduser()) for end in range(len(words), 0, -1))
        end, path = next(((end, path) for end, path in paths if path.is_file()), (1, Path(words[0]).expanduser()))
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
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        return subprocess.Popen(argv, stdin=null, stdout=pipe, stderr=pipe, text=True, env=environment())
    except FileNotFoundError:
        fix = "apt-get install openssh-client"
        raise ConnectError(f"there is no {argv[0]} here", state=NOT_BEGUN, fix=fix) from None


def environment() -> dict[str, str]:
    """What other programs are told: all but the password."""
    return {name: value for name, value in os.environ.items() if name != SUDO_VARIABLE}
