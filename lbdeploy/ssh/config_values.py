"""Parser for `ssh -G`: one keyword of ssh_config(5) a line, in lower case, with tokens left unexpanded."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from lbdeploy.common.paths import home_expanded


class Values:
    """The settings for one host."""

    def __init__(self, output: str) -> None:
        self._values: dict[str, list[str]] = {}
        for line in output.splitlines():
            key, _, value = line.partition(" ")
            self._values.setdefault(key, []).append(value)

    @property
    def host(self) -> str:
        """The host's name, or its address."""
        return self.first("hostname")

    @property
    def port(self) -> int:
        return int(self.first("port"))

    def first(self, key: str, otherwise: str = "") -> str:
        """The effective value of a keyword that has only one."""
        return self._values.get(key, [otherwise])[0]

    def words(self, key: str) -> tuple[str, ...]:
        """A comma-separated list."""
        return tuple(filter(None, self.first(key).split(",")))

    def seconds(self, key: str) -> float | None:
        """A time in seconds; None where none is set."""
        value = self.first(key)
        return float(value) if value.isdigit() and value != "0" else None

    def files(self, key: str) -> list[Path]:
        """The path in each value. `ssh -G` leaves environment variables as they are (ssh_config(5))."""
        return [home_expanded(self._expanded(_with_variables(path))) for path in self._values.get(key, [])]

    def paths(self, key: str) -> Iterator[Path]:
        """The paths in each value, which may hold several."""
        for line in self._values.get(key, []):
            yield from () if line == "none" else _paths(line)

    def agent(self) -> Path | None:
        """The agent's socket: the environment names it, unless IdentityAgent does, or names another variable."""
        value = self.first("identityagent", "SSH_AUTH_SOCK")
        if value == "SSH_AUTH_SOCK" or value.startswith("$"):
            value = os.environ.get(value.strip("${}"), "none")
        return None if value in ("none", "") else home_expanded(self._expanded(value))

    def proxy_command(self) -> str | None:
        value = self.first("proxycommand", "none")
        return None if value == "none" else self._expanded(value)

    def _expanded(self, text: str) -> str:
        """A value with its tokens expanded (ssh_config(5), TOKENS)."""
        host, me = socket.gethostname(), getpass.getuser()
        tokens = {"%": "%", "d": str(Path.home()), "u": me, "i": str(os.getuid()), "l": host}
        tokens |= {"h": self.host, "p": str(self.port), "r": self.first("user"), "n": self.first("host", self.host)}
        tokens |= {"k": self.first("hostkeyalias", tokens["n"]), "L": host.partition(".")[0]}
        return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _with_variables(path: str) -> str:
    """With ${NAME} expanded; one that is not set stays as it is, and names no file."""
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), path)


def _paths(line: str) -> Iterator[Path]:
    """The files that a line names. They are separated by spaces, and a file name may contain some, too."""
    words = line.split(" ")
    while words:
        paths = ((end, home_expanded(" ".join(words[:end]))) for end in range(len(words), 0, -1))
        end, path = next(((end, path) for end, path in paths if path.is_file()), (1, home_expanded(words[0])))
        yield path
        words = words[end:]
