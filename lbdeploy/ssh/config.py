"""Where a host is and how to log in, as OpenSSH itself resolves it, and which of its host keys are known.

paramiko reads only part of ssh_config(5) and of known_hosts (measured: Include, Match, wildcards, @markers), so
OpenSSH's own programs are asked: `ssh -G`, and `ssh-keygen -F` unless there are only plain names. Neither contacts
any host.
"""

from __future__ import annotations

import os
import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lbdeploy.common.environment import SUDO_VARIABLE
from lbdeploy.config.model import Ssh
from lbdeploy.errors import ConnectError
from lbdeploy.ssh import known_settings
from lbdeploy.ssh.config_values import Values
from lbdeploy.ssh.known_hosts import known_name, plain_lines
from lbdeploy.ssh.manual_commands import ByHand

if TYPE_CHECKING:
    import subprocess

NOT_BEGUN = "nobody has logged in"
CONNECT_SECONDS = 10.0  # unless hosts.toml or ConnectTimeout says otherwise
NEW_KEYS: Mapping[str, Literal["accept", "ask", "refuse"]] = {
    "ask": "ask", "accept-new": "accept",
    "no": "accept", "off": "accept", "false": "accept",  # but unlike OpenSSH, a changed key is never accepted
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A known_hosts line that matches a host: its marker ("", "@revoked", "@cert-authority"), key type and key."""

    marker: str
    type: str
    key: str  # base64


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """Where a connection is to come from (ssh_config(5)): AddressFamily, BindAddress, BindInterface; "" for any."""

    family: str = ""
    address: str = ""
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A host to log in to. `jumps` are its jump hosts, the nearest first.

    `key_name` is its name in known_hosts; `revoked_in` are files with revoked keys; `new_keys` says what to do with an
    unknown key, `remember_in` the file that such a key is written to, `hash_names` whether its name is hashed there.
    Lists of algorithms have the allowed ones, the preferred first; an empty one allows all. `agent` is the socket of
    the agent. `by_hand` tells a person how to log in the same way. `missing` are keys that hosts.toml names and that
    do not exist.
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
    by_hand: ByHand
    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    key_exchanges: tuple[str, ...] = ()
    public_keys: tuple[str, ...] = ()
    revoked_in: tuple[Path, ...] = ()
    source: LocalEndpoint = field(default_factory=LocalEndpoint)
    missing: tuple[Path, ...] = ()
    proxy_command: str | None = None
    jumps: tuple[Target, ...] = ()


class Resolving:
    """A lookup of one host in progress: `ssh -G` runs in the background, unless it is known what it says."""

    def __init__(self, ssh: Ssh, host: str) -> None:
        self.ssh = ssh
        self.host = host
        self._argv = ["ssh", *_options(ssh), "-G", "--", host]
        self._key = known_settings.key(self._argv, ssh.config_file)
        self._known = known_settings.recall(self._key)
        self._process = _start(self._argv) if self._known is None else None

    def result(self) -> Target:
        """The resolved host, including its jump hosts. Raises ConnectError."""
        *jumps, target = self.hops(())
        return replace(target, jumps=tuple(jumps))

    def hops(self, after: tuple[str, ...] | None) -> tuple[Target, ...]:
        """The jump hosts, then the host; `after` are the ProxyJump values that led to it, None ignores its own."""
        values = Values(self._settings())
        jump = self.ssh.jump or values.first("proxyjump", "none")
        direct = jump == "none" and after is not None
        command = values.proxy_command() if direct else None
        target = replace(_target(self.ssh, self.host, values), proxy_command=command)
        return (target,) if jump == "none" or after is None else (*_jumps(self.ssh, jump, after), target)

    def _settings(self) -> str:
        """What `ssh -G` says. Raises ConnectError."""
        if self._known is None and self._process:
            output, error = self._process.communicate()
            if self._process.returncode:
                fix = "fix ~/.ssh/config, or [ssh] in hosts.toml"
                raise ConnectError(f"ssh -G {self.host} failed: {error.strip()}", state=NOT_BEGUN, fix=fix)
            if known_settings.key(self._argv, self.ssh.config_file) == self._key:  # no file has changed meanwhile
                known_settings.keep(self._key, output)
            self._known = output
        return self._known or ""


def _options(ssh: Ssh) -> list[str]:
    port = ["-p", str(ssh.port)] if ssh.port else []
    user = ["-l", ssh.user] if ssh.user else []
    config = ["-F", str(ssh.config_file)] if ssh.config_file else []
    # Only to learn which keys the configuration adds: ssh -G does not quote file names in its output.
    key = ["-o", "IdentityFile=/dev/null"] if ssh.identity_file else []
    return [*config, *user, *port, *key]


def _jumps(ssh: Ssh, jump: str, after: tuple[str, ...] = ()) -> tuple[Target, ...]:
    """Each hop of `jump` (ssh_config(5), ProxyJump), with the operator's settings, not those for the nodes.

    The first hop may have a ProxyJump of its own; those of the others are ignored, as by ssh itself.
    """
    if jump in after:
        message, fix = f"the jump host {jump} is reached through itself", "fix ProxyJump in ~/.ssh/config"
        raise ConnectError(message, state=NOT_BEGUN, fix=fix)
    hops: list[Target] = []
    for number, hop in enumerate(jump.split(",")):
        user, at, host = hop.removeprefix("ssh://").rpartition("@")
        host, port = _split_port(host)
        own = Ssh(
            user=user if at else None,
            port=port,
            config_file=ssh.config_file,
            known_hosts_file=ssh.known_hosts_file,
            jump=",".join(jump.split(",")[:number]) or None,
            connect_timeout=ssh.connect_timeout,
        )
        hops += Resolving(own, host).hops(None if hops else (*after, jump))
    return tuple(hops)


def _split_port(host: str) -> tuple[str, int | None]:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return host.strip("[]"), None


def _target(ssh: Ssh, host: str, values: Values) -> Target:
    own = [ssh.identity_file] if ssh.identity_file else []
    users = [ssh.known_hosts_file] if ssh.known_hosts_file else list(values.paths("userknownhostsfile"))
    key_name = values.first("hostkeyalias", known_name(values.host, values.port))
    files = tuple(filter(Path.is_file, [*users, *values.paths("globalknownhostsfile")]))
    return Target(
        host=values.host,
        port=values.port,
        user=values.first("user"),
        identity_files=tuple(filter(_is_key, [*own, *values.files("identityfile")])),
        certificates=tuple(filter(Path.is_file, values.files("certificatefile"))),
        identities_only=values.first("identitiesonly") == "yes",
        agent=values.agent(),
        key_name=key_name,
        known=_known(key_name, files),
        known_hosts_files=files,
        revoked_in=tuple(values.paths("revokedhostkeys")),
        new_keys=NEW_KEYS.get(values.first("stricthostkeychecking", "ask"), "refuse"),
        remember_in=next((path for path in users if path not in (Path("/dev/null"), Path("none"))), None),
        hash_names=values.first("hashknownhosts") == "yes",
        host_key_algorithms=values.words("hostkeyalgorithms"),
        authority_algorithms=values.words("casignaturealgorithms"),
        ciphers=values.words("ciphers"),
        macs=values.words("macs"),
        key_exchanges=values.words("kexalgorithms"),
        public_keys=values.words("pubkeyacceptedalgorithms") or values.words("pubkeyacceptedkeytypes"),
        connect_timeout=ssh.connect_timeout or values.seconds("connecttimeout") or CONNECT_SECONDS,
        source=LocalEndpoint(values.first("addressfamily"), values.first("bindaddress"), values.first("bindinterface")),
        by_hand=ByHand(ssh, host),
        missing=_missing(ssh),
    )


def _missing(ssh: Ssh) -> tuple[Path, ...]:
    """Keys that hosts.toml names and that do not exist; not checked for the lab, which has its own key."""
    key = ssh.identity_file
    return (key,) if key and not ssh.in_lab and not _is_key(key) else ()


def _is_key(path: Path) -> bool:
    """Whether a file is a key, or the public half of one that the agent has."""
    return path.is_file() or path.with_name(f"{path.name}.pub").is_file()


def _known(name: str, files: Sequence[Path]) -> tuple[Known, ...]:
    """The lines about a host: `ssh-keygen -F` understands hashed names, wildcards and markers, if there are any."""
    plain = {path: plain_lines(path, name) for path in files}
    asked = {path: _start(["ssh-keygen", "-F", name, "-f", str(path)]) for path in files if plain[path] is None}
    found = {path: process.communicate()[0].splitlines() for path, process in asked.items()}
    lines = [
        line.split() for path in files for line in (plain[path] or found.get(path, [])) if line[:1] not in ("", "#")
    ]
    return tuple(known for words in lines if (known := _known_line(words)))


def _known_line(words: list[str]) -> Known | None:
    """The parsed line; None for a damaged one, which proves nothing."""
    marker = words[0] if words[0].startswith("@") else ""
    try:
        kind, key = words[2 if marker else 1 :][:2]
        b64decode(key, validate=True)
    except ValueError:
        return None
    return Known(marker, kind, key)


def _start(argv: Sequence[str]) -> subprocess.Popen[str]:
    import subprocess  # 2 ms, and mostly all is known

    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        return subprocess.Popen(
            argv, stdin=null, stdout=pipe, stderr=pipe, env=environment(),
            encoding=sys.getfilesystemencoding(), errors=sys.getfilesystemencodeerrors(),  # of paths in what it says
        )  # fmt: skip
    except FileNotFoundError:
        fix = "apt-get install openssh-client"
        raise ConnectError(f"there is no {argv[0]} here", state=NOT_BEGUN, fix=fix) from None


def environment() -> dict[str, str]:
    """The environment for other programs: without the sudo password."""
    return {name: value for name, value in os.environ.items() if name != SUDO_VARIABLE}
