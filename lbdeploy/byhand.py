"""What a person types to log in as lbdeploy does: for errors, so that what is wrong can be seen without lbdeploy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lbdeploy.model import Ssh
from lbdeploy.shell import cmd

IN_LAB = ("lbdeploy", "lab", "exec", "operator")


@dataclass(frozen=True, slots=True)
class ByHand:
    """Commands for a host. What hosts.toml says is in them, and the operator's own configuration says the rest."""

    ssh: Ssh
    host: str

    def login(self) -> str:
        """Logs in, and does nothing there."""
        jump = ("-J", self.ssh.jump) if self.ssh.jump else ()
        return cmd(*self._where, "ssh", *self._options(), *self._key, *jump, self._host, "true")

    def copy_key(self) -> str:
        """Has the host accept the operator's key; it wants another way to log in, such as a password."""
        jump = ("-o", f"ProxyJump={self.ssh.jump}") if self.ssh.jump else ()
        return cmd(*self._where, "ssh-copy-id", *self._key, *self._options(), *jump, self._host)

    @property
    def _where(self) -> tuple[str, ...]:
        return IN_LAB if self.ssh.config_file else ()

    @property
    def _host(self) -> str:
        return f"{self.ssh.user}@{self.host}" if self.ssh.user else self.host

    @property
    def _key(self) -> tuple[object, ...]:
        """The lab's configuration names its key, and its known_hosts."""
        return ("-i", self.ssh.identity_file) if self.ssh.identity_file and not self.ssh.config_file else ()

    def _options(self) -> Iterator[str]:
        if self.ssh.config_file:
            yield from ("-F", str(self.ssh.config_file))
        elif self.ssh.known_hosts_file:
            path = str(self.ssh.known_hosts_file).replace("%", "%%")  # or it would be one of ssh's tokens
            yield from ("-o", f'UserKnownHostsFile="{path}"')
        if self.ssh.port:
            yield from ("-p", str(self.ssh.port))
