"""What to type to log in the way lbdeploy does: for error messages, so that a fault can be examined without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lbdeploy.common.shell import cmd
from lbdeploy.config.model import Ssh

IN_LAB = ("lbdeploy", "lab", "exec", "operator")


@dataclass(frozen=True, slots=True)
class ByHand:
    """Commands for a host. They contain what hosts.toml sets; the operator's own SSH configuration sets the rest."""

    ssh: Ssh
    host: str

    def login(self) -> str:
        """Logs in, and does nothing there."""
        jump = ("-J", self.ssh.jump) if self.ssh.jump else ()
        return cmd(*self._where, "ssh", *self._options(), *self._key, *jump, self._host, "true")

    def copy_key(self) -> str:
        """Makes the host accept the operator's key; this needs another way to log in, such as a password."""
        jump = ("-o", f"ProxyJump={self.ssh.jump}") if self.ssh.jump else ()
        return cmd(*self._where, "ssh-copy-id", *self._key, *self._options(), *jump, self._host)

    @property
    def _where(self) -> tuple[str, ...]:
        return IN_LAB if self.ssh.in_lab else ()

    @property
    def _host(self) -> str:
        return f"{self.ssh.user}@{self.host}" if self.ssh.user else self.host

    @property
    def _key(self) -> tuple[object, ...]:
        """The key of hosts.toml; none in the lab, whose SSH configuration names its own."""
        return ("-i", self.ssh.identity_file) if self.ssh.identity_file and not self.ssh.in_lab else ()

    def _options(self) -> Iterator[str]:
        if self.ssh.config_file:
            yield from ("-F", str(self.ssh.config_file))
        elif self.ssh.known_hosts_file:
            path = str(self.ssh.known_hosts_file).replace("%", "%%")  # ssh would expand it as a token otherwise
            yield from ("-o", f'UserKnownHostsFile="{path}"')
        if self.ssh.port:
            yield from ("-p", str(self.ssh.port))
