"""Reading any haproxy.cfg, lbdeploy's or not: what it listens on, and the servers behind each port. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from lbdeploy.common.config_words import haproxy_words

EVERYWHERE = "*"
HEADS = frozenset((
    *("global", "defaults", "frontend", "listen", "backend", "peers", "resolvers", "userlist", "mailers", "cache"),
    *("program", "http-errors", "ring", "log-forward", "log-profile", "fcgi-app", "crt-store", "traces", "acme"),
    *("healthcheck",),
))  # fmt: skip
_LOCAL = ("/", "unix@", "abns@", "abnsz@", "fd@", "sockpair@")  # prefixes of addresses that are not of a network
_PORTS = re.compile(r"0*([0-9]{1,5})(?:-0*([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Bind:
    """What a section listens on: `address` is "*" for all; `servers` as "address:port", of all its backends.

    `port` is as written: also a range, "6440-6450", or a variable.
    `allowed` are the networks whose clients get in, by an `acl allowed` as lbdeploy writes it; none: everybody.
    """

    section: str
    address: str
    port: str
    servers: frozenset[str]
    allowed: frozenset[str] = frozenset()

    def serves(self, address: str, port: str) -> bool:
        """Whether clients of this address and port, of all ports where it is a range, reach this section.

        An address that only the node knows, by a variable or a name, may be any, as "*" is.
        """
        own, asked = self.ports, _ports(port)
        has = bool(asked) and asked[0] in own and asked[-1] in own
        known = _is_address(self.address) and _is_address(address)
        return (has or self.port == port) and (self.address == address or not known)

    def meets(self, port: str) -> bool:
        """Whether it has a port in common with this port or range."""
        own, other = self.ports, _ports(port)
        return self.port == port or max(own.start, other.start) < min(own.stop, other.stop)

    @property
    def ports(self) -> range:
        """Its ports as numbers; none where they are not known, as of a variable."""
        return _ports(self.port)


@dataclass(slots=True)
class _Section:
    kind: str
    name: str
    binds: list[tuple[str, str]] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)
    backends: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rejects: bool = False


def listeners(conf: str) -> list[Bind]:
    """Everything that haproxy listens on for clients in the network, so not for its peers. No text makes it raise."""
    sections = list(_sections(conf))
    backends = {each.name: each for each in sections if each.kind in ("backend", "listen")}
    return [
        Bind(
            each.name,
            address,
            port,
            frozenset(_with_port(server, port) for server in _servers(each, backends)),
            frozenset(each.sources if each.rejects else ()),
        )
        for each in sections
        if each.kind != "peers"
        for address, port in each.binds
    ]


def _servers(section: _Section, backends: dict[str, _Section]) -> Iterator[str]:
    yield from section.servers
    for name in section.backends:
        if name in backends:
            yield from backends[name].servers


def _sections(conf: str) -> Iterator[_Section]:
    section = _Section("", "")
    for line in conf.splitlines():
        words = _words(line)
        if words and words[0] in HEADS:
            yield section
            section = _Section(words[0], words[1] if len(words) > 1 else "")
        elif len(words) > 1:
            _add(section, words)
    yield section


def _words(line: str) -> list[str]:
    """The words of a line before its comment."""
    words = [word for word, _ in haproxy_words(line)]
    end = next((index for index, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:end]


def _add(section: _Section, words: list[str]) -> None:
    match words[0]:
        case "bind":
            section.binds += [_endpoint(each) for each in words[1].split(",") if not each.startswith(_LOCAL)]
        case "server" if len(words) > 2:
            section.servers.append(words[2])
        case "default_backend" | "use_backend":
            section.backends.append(words[1])
        case "acl" if words[1:3] == ["allowed", "src"]:
            section.sources += words[3:]
        case "tcp-request" if words[-1] == "!allowed" and "reject" in words:
            section.rejects = True


def _endpoint(text: str) -> tuple[str, str]:
    """The address and the port of "192.168.0.10:6443", "*:6443", ":6443", "[::]:6443" or "ipv4@:6443"."""
    host, _, port = text.rpartition(":")
    return _plain(host), port


def _ports(text: str) -> range:
    """The ports of "6443", "06443" or "6440-6450"."""
    found = _PORTS.fullmatch(text)
    return range(int(found[1]), int(found[2] or found[1]) + 1) if found else range(0)


def _plain(host: str) -> str:
    bare = host.rpartition("@")[2].strip("[]").partition("%")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return bare or EVERYWHERE
    return EVERYWHERE if address.is_unspecified else str(address)


def host_and_port(server: str) -> tuple[str, str]:
    """The host of a server, and its port, "" for none: what follows the last colon, also of IPv6 without brackets."""
    host, _, port = server.rpartition(":")
    if not host or "]" in port or (_is_address(server) and not _is_address(host)):
        return server, ""
    return host, port


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _with_port(server: str, port: str) -> str:
    """A server without a port is asked at the one that the client came to (haproxy's documentation of `server`)."""
    host, own = host_and_port(server)
    return f"{_plain(host)}:{own or port}"
