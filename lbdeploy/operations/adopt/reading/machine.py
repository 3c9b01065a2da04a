"""What a node has, as it was read: its name, its addresses, its daemons' command lines and files. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.config.model import Address
from lbdeploy.node.parsers import Link, parse_ip_a
from lbdeploy.node.remote import remote_text
from lbdeploy.operations.adopt.reading.sources import HostNames, Sources

Daemon = Literal["keepalived", "haproxy"]
DEFAULT: Mapping[Daemon, str] = {
    "keepalived": "/etc/keepalived/keepalived.conf",
    "haproxy": "/etc/haproxy/haproxy.cfg",
}
_PATH = "LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH"


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that runs. `root`: where its files are seen from the host, "" for the host's own."""

    argv: tuple[str, ...]
    root: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def arguments(self, *options: str) -> Iterator[str]:
        """The words that follow these options, such as -f; also one that is joined to a short one."""
        for index, word in enumerate(self.argv[1:], 1):
            if word in options:
                yield from self.argv[index + 1 : index + 2]
            elif "=" in word and word.partition("=")[0] in options:
                yield word.partition("=")[2]
            elif len(word) > 2 and word[:2] in options and not word.startswith("--"):
                yield word[2:]


@dataclass(frozen=True, slots=True)
class Machine:
    """A node. `host` is what SSH connects to."""

    name: str
    host: str
    host_name: str
    links: tuple[Link, ...]
    running: Mapping[Daemon, Running]
    sources: Mapping[Daemon, Sources] = field(default_factory=lambda: {each: Sources() for each in DEFAULT}, repr=False)
    names: HostNames = field(default_factory=HostNames, repr=False)

    def root_of(self, daemon: Daemon) -> str:
        return self.running[daemon].root if daemon in self.running else ""

    def environment_of(self, daemon: Daemon) -> Mapping[str, str]:
        return self.running[daemon].environment if daemon in self.running else {}

    @property
    def config_id(self) -> str:
        """What conditional lines of keepalived.conf are compared with."""
        given = list(self.running["keepalived"].arguments("-i", "--config-id")) if "keepalived" in self.running else []
        return given[-1] if given else self.host_name.partition(".")[0]

    @property
    def keepalived_file(self) -> str:
        files = list(self.running["keepalived"].arguments("-f", "--use-file")) if "keepalived" in self.running else []
        return files[-1] if files else DEFAULT["keepalived"]

    @property
    def addresses(self) -> set[Address]:
        """Those that it has at present, VIPs too."""
        return {address.ip for link in self.links for address in link.addresses}

    def files_that_stay(self) -> frozenset[str]:
        """What haproxy reads besides the file that lbdeploy replaces: it goes on reading it."""
        files = self.haproxy_files()
        return frozenset(files) - {DEFAULT["haproxy"]} if DEFAULT["haproxy"] in files else frozenset()

    def haproxy_files(self) -> dict[str, str]:
        """Those of its command line, in that order; of a folder, each file that ends in .cfg."""
        named = _haproxy_named(self.running["haproxy"].argv) if "haproxy" in self.running else []
        found: dict[str, str] = {}
        sources = self.sources["haproxy"]
        for path in named or [DEFAULT["haproxy"]]:
            found |= {**sources.files(path), **sources.files(f"{path.rstrip('/')}/*.cfg")}
        return found


def _haproxy_named(argv: tuple[str, ...]) -> list[str]:
    """Each -f has one file or folder; everything after -- is one, too."""
    before, dashes, after = _split(argv)
    named = [before[index + 1] for index, word in enumerate(before[:-1]) if word == "-f"]
    return [*named, *(after if dashes else ())]


def _split(argv: tuple[str, ...]) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    if "--" not in argv:
        return argv, False, ()
    at = argv.index("--")
    return argv[:at], True, argv[at + 1 :]


def look() -> str:
    """POSIX sh that asks what runs, and changes nothing."""
    return f"(\n{_PATH}\n{remote_text('adopt.sh')}) 2>/dev/null </dev/null\nexit 0\n"


def understood(name: str, host: str, output: str) -> Machine:
    """The node that answered so. What can't be read is left out."""
    lines = [line.partition(" ") for line in output.splitlines()]
    links = "\n".join(rest for kind, _, rest in lines if kind == "ip")
    host_name = next((rest for kind, _, rest in lines if kind == "name"), "")
    return Machine(name, host, host_name, parse_ip_a(links), _running(output))


def _running(output: str) -> dict[Daemon, Running]:
    roots: dict[str, str] = {}
    words: dict[str, tuple[str, ...]] = {}
    variables: dict[str, dict[str, str]] = {}
    daemon = ""
    for kind, _, rest in (line.partition(" ") for line in output.splitlines()):
        name, _, value = rest.partition(" ")
        if kind == "root":
            roots[name] = value
        elif kind == "argv":
            words[name] = tuple(_decoded(value).rstrip("\0").split("\0"))
        elif kind == "environ":
            daemon = name
        elif kind == "secret" and daemon:
            variables[daemon] = _variables(_decoded(name))
    return {
        each: Running(words[each], roots.get(each, ""), variables.get(each, {})) for each in DEFAULT if each in words
    }


def _variables(text: str) -> dict[str, str]:
    return {name: value for name, equals, value in (each.partition("=") for each in text.split("\0")) if equals}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except ValueError:
        return ""


def reading(patterns: Iterable[str], root: str) -> str:
    """POSIX sh that prints the files of these patterns."""
    calls = "\n".join(cmd("files", number, root, pattern) for number, pattern in enumerate(patterns))
    return Raw(f"(\n{_PATH}\n{remote_text('read-files.sh')}\n{calls}\n) 2>/dev/null </dev/null\nexit 0\n")


def files_in(patterns: Iterable[str], output: str) -> dict[str, dict[str, str]]:
    """The files that were printed, by pattern; an empty entry for a pattern without files."""
    names = list(patterns)
    found: dict[str, dict[str, str]] = {each: {} for each in names}
    pattern, path = "", ""
    for kind, _, rest in (line.partition(" ") for line in output.splitlines()):
        if kind == "pattern" and rest.isdecimal() and int(rest) < len(names):
            pattern = names[int(rest)]
        elif kind == "path":
            path = _decoded(rest)
        elif kind == "secret" and pattern:
            found[pattern][path] = _decoded(rest)
    return found


def resolving(names: Iterable[str]) -> str:
    """POSIX sh that prints the first address of each name, as haproxy takes it when it starts."""
    look = """address() { printf 'address %s %s\\n' "$1" "$(timeout 3 getent ahosts "$2" | sed -n '1s/ .*//p')"; }"""
    calls = "\n".join(cmd("address", number, name) for number, name in enumerate(names))
    return Raw(f"(\n{_PATH}\n{look}\n{calls}\n) 2>/dev/null </dev/null\nexit 0\n")


def addresses_in(names: Iterable[str], output: str) -> dict[str, Address | None]:
    """The addresses that were printed, by name; None for a name without."""
    listed = list(names)
    found: dict[str, Address | None] = dict.fromkeys(listed)
    for number, text in re.findall(r"^address ([0-9]{1,4}) (\S+)$", output, re.MULTILINE):
        with suppress(ValueError, IndexError):
            found[listed[int(number)]] = ip_address(text)
    return found
