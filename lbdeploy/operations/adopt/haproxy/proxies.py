"""The ports of a haproxy.cfg that hosts.toml's frontends can serve, each with its servers and settings. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from lbdeploy.config.model import Address
from lbdeploy.node.haproxy_conf import host_and_port
from lbdeploy.operations.adopt.reading.haproxy_cfg import Directive, Section, seconds
from lbdeploy.operations.adopt.reading.sources import HostNames

# What decides who is let in, or which server answers: a frontend without it would do something else.
DECIDES = (
    *("use_backend", "use-server", "acl", "tcp-request", "tcp-response", "http-request", "http-response", "redirect"),
    *("filter", "stats", "monitor-uri", "dispatch", "server-template", "capture", "cookie", "compression", "errorfile"),
)  # fmt: skip
_HARMLESS = ("errorfile",)  # of no use to TCP
_BIND_WORDS = {"name": 1, "v4v6": 0, "v6only": 0, "transparent": 0, "defer-accept": 0, "backlog": 1, "maxconn": 1}
_KIND = re.compile(r"chk$|-check$")  # of a check: httpchk, tcp-check, mysql-check
_HEADER = re.compile(r"send-proxy(-v2(-ssl(-cn)?)?)?")
ANY = "*"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, or ANY, and a port that a section listens on."""

    address: str
    port: int
    line: Directive


@dataclass(frozen=True, slots=True)
class HandMadeServer:
    """A server: its options by name, with those of default-server, and its `own` ones alone.

    `host`: the name that stands for its address.
    """

    name: str
    address: Address
    port: int | None
    options: dict[str, str]
    own: dict[str, str]
    line: Directive
    host: str = ""


@dataclass(slots=True)
class Proxy:
    """A section that listens, and the backend that it leads to, which may be itself. `why`: what hosts.toml lacks."""

    front: Section
    back: Section
    endpoints: list[Endpoint] = field(default_factory=list)
    servers: list[HandMadeServer] = field(default_factory=list)
    why: str = ""

    @property
    def sections(self) -> tuple[Section, ...]:
        return (self.front,) if self.back is self.front else (self.front, self.back)

    def last(self, *words: str) -> Directive | None:
        """The line that counts of the backend, or else of the frontend."""
        return self.back.last(*words) or self.front.last(*words)

    def timeout(self, name: str) -> float | None:
        line = self._timed(name).last("timeout", name)
        return seconds(line.words[2]) if line and len(line.words) > 2 else None

    def has_own_timeout(self, name: str) -> bool:
        """Whether it is not that of the defaults."""
        return any(line.words[1:2] == (name,) for line in self._timed(name).own("timeout"))

    def _timed(self, name: str) -> Section:
        return self.front if name == "client" else self.back

    def option(self, name: str) -> str | None:
        """An option of the servers, as most of them have it; None where most have none."""
        values = Counter(each.options.get(name) for each in self.servers)
        return values.most_common(1)[0][0] if values else None

    def limit(self, port: int) -> int | None:
        """How many connections a port may have, its section or its bind saying so.

        Where a port has several addresses, what a bind says is the limit of each for itself: no frontend has such ones.
        """
        section = self.front.last("maxconn")
        there = [each.line for each in self.endpoints if each.port == port]
        of_bind = bind_options(there[0]).get("maxconn") if len(there) == 1 else None
        given = [section.words[1] if section and len(section.words) > 1 else "", of_bind or ""]
        return min((int(each) for each in given if re.fullmatch(r"[1-9][0-9]{0,6}", each)), default=None)

    def has_before(self, server: HandMadeServer) -> bool:
        """Whether an earlier server has the same address and port."""
        before = self.servers[: self.servers.index(server)]
        return any((each.address, each.port) == (server.address, server.port) for each in before)

    @property
    def asks_for_a_page(self) -> bool:
        """Whether servers are asked for a page: of the kinds of checks, the last one that is named counts."""
        lines = (*self.back.defaults, *self.back.lines)
        kinds = [
            line.words[1] for line in lines if line.begins("option") and line.words[1:2] and _KIND.search(line.words[1])
        ]
        return self.back.has_option("httpchk") and kinds[-1:] == ["httpchk"]

    @property
    def tls_check(self) -> bool:
        """Whether all servers are asked over TLS for a page; a line that says how to connect counts before options."""
        connect = self.back.last("http-check", "connect")
        if connect and "default" not in connect.words:
            return self.asks_for_a_page and "ssl" in connect.words
        return self.asks_for_a_page and all("check-ssl" in each.options for each in self.servers)


def proxies(sections: Sequence[Section], names: HostNames) -> list[Proxy]:
    """Every section that listens."""
    backs = {each.name: each for each in sections if each.kind in ("backend", "listen")}
    wide = [line for each in sections if each.kind == "global" for line in each.lines]
    usual = {"verify": "none"} if any(each.begins("ssl-server-verify", "none") for each in wide) else {}
    return [_proxy(each, backs, names, usual) for each in sections if each.kind in ("frontend", "listen")]


def _proxy(front: Section, backs: dict[str, Section], names: HostNames, usual: dict[str, str]) -> Proxy:
    default = front.last("default_backend")
    named = default.words[1] if default and len(default.words) > 1 else ""
    back = backs.get(named, front) if front.kind == "frontend" or named else front
    found = Proxy(front, back, list(_endpoints(front)), _servers(back, names, usual))
    found.why = next(iter(_obstacles(found, named, backs)), "")
    return found


def _obstacles(proxy: Proxy, named: str, backs: dict[str, Section]) -> Iterator[str]:
    """What a frontend of hosts.toml can't do, the most important first."""
    if not proxy.endpoints:
        yield "it listens on no TCP port of the network that hosts.toml could have"
    for section in proxy.sections:
        if section.mode != "tcp":
            yield f"mode {section.mode}: frontends of hosts.toml pass TCP on"
        for line in section.lines:
            if line.words[0] in DECIDES and line.words[0] not in _HARMLESS:
                yield f"{line.words[0]}: frontends of hosts.toml decide nothing by what clients send"
    yield from (f"bind {word}: frontends of hosts.toml have no {word}" for word in _bind_words(proxy.front))
    if named and named not in backs:
        yield f"its default_backend {named} is not there"
    if not proxy.servers:
        yield "it has no servers with an address: hosts.toml takes addresses, and their names have none"
    elif len(proxy.servers) < len(proxy.back.own("server")):
        yield "some of its servers have no address: hosts.toml takes addresses, and their names have none"
    if any("ssl" in each.options for each in proxy.servers):
        yield "server ssl: frontends of hosts.toml pass TCP on, and begin no TLS of their own"
    yield from _proxy_headers(proxy.servers)


def _proxy_headers(servers: Sequence[HandMadeServer]) -> Iterator[str]:
    """What is sent to servers before their clients' data: one that expects such a header refuses all without it."""
    for word in dict.fromkeys(option for each in servers for option in each.options if _HEADER.fullmatch(option)):
        names = [each.name for each in servers if word in each.options]
        if len(names) < len(servers):
            alone = f"{word} of {', '.join(names)} alone"
            yield f"{alone}: a frontend of hosts.toml sends a PROXY header to all of its servers, or to none"
        elif word != "send-proxy-v2":
            yield f"server {word}: frontends of hosts.toml send version 2 of the PROXY header, and no more in it"


def _bind_words(section: Section) -> Iterator[str]:
    """The words of bind that change what clients meet."""
    for line in section.own("bind"):
        yield from (word for word in bind_options(line) if word not in _BIND_WORDS)


def bind_options(line: Directive) -> dict[str, str]:
    """The words of a bind after its addresses, as far as the first that no frontend of hosts.toml could do without.

    Of those that have no value, the value is "".
    """
    found: dict[str, str] = {}
    words = list(line.words[2:])
    while words and found.keys() <= _BIND_WORDS.keys():
        word = words.pop(0)
        count = _BIND_WORDS.get(word, 0)
        found[word] = " ".join(words[:count])
        del words[:count]
    return found


def _endpoints(section: Section) -> Iterator[Endpoint]:
    for line in section.own("bind"):
        for each in line.words[1].split(",") if len(line.words) > 1 else ():
            host, _, ports = each.rpartition(":")
            if not host.startswith(("unix@", "/", "abns@", "fd@", "sockpair@")) and "/" not in each:
                yield from (Endpoint(_host(host), port, line) for port in _ports(ports))


def _ports(text: str) -> Sequence[int]:
    """A port, or a range of a few."""
    found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
    if not found:
        return ()
    first, last = int(found[1]), int(found[2] or found[1])
    return range(first, last + 1) if 0 < first <= last < min(65536, first + 20) else ()


def _host(text: str) -> str:
    bare = text.rpartition("@")[2].strip("[]")
    with suppress(ValueError):
        found = ip_address(bare)
        return ANY if found.is_unspecified else str(found)
    return ANY if bare in ("", "*") else bare


def _servers(section: Section, names: HostNames, usual: dict[str, str]) -> list[HandMadeServer]:
    """Those that have an address, in the order of the file. What a default-server says is for servers after it."""
    found: list[HandMadeServer | None] = []
    base = usual
    for line in [*section.defaults, *section.lines]:
        if line.begins("default-server"):
            base = _with(base, server_options(line.words[1:]))
        elif line.begins("server") and len(line.words) > 2:
            found.append(_server(line, base, names))
    return [each for each in found if each]


def _with(base: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Options and later ones, which may take earlier ones back."""
    gone = {_opposite(each) for each in more}
    return {key: value for key, value in base.items() if key not in gone} | dict(more)


def _opposite(option: str) -> str:
    known = {"enabled": "disabled", "disabled": "enabled"}.get(option)
    return known or (option[3:] if option.startswith("no-") else f"no-{option}")


def _server(line: Directive, base: Mapping[str, str], names: HostNames) -> HandMadeServer | None:
    host, port = host_and_port(line.words[2].rpartition("@")[2])
    own = server_options(line.words[3:])
    options = _with(base, own)
    number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536 else None
    if port and number is None:
        return None
    with suppress(ValueError):
        return HandMadeServer(line.words[1], ip_address(host.strip("[]")), number, options, own, line)
    address = names.address(host)
    return HandMadeServer(line.words[1], address, number, options, own, line, host) if address else None


_WITH_VALUE = frozenset((
    *("addr", "agent-addr", "agent-inter", "agent-port", "agent-send", "alpn", "ca-file", "check-alpn"),
    *("check-pool-conn-name", "check-proto", "check-sni", "ciphers", "ciphersuites", "cookie", "crl-file"),
    *("crt", "downinter", "error-limit", "fall", "fastinter", "guid", "hash-key", "id", "init-addr", "inter"),
    *("log-proto", "max-reuse", "maxconn", "maxqueue", "minconn", "namespace", "npn", "observe", "on-error"),
    *("on-marked-down", "on-marked-up", "pool-low-conn", "pool-max-conn", "pool-purge-delay", "port", "proto"),
    *("redir", "resolve-opts", "resolve-prefer", "resolvers", "rise", "shard", "slowstart", "sni", "socks4"),
    *("source", "ssl-max-ver", "ssl-min-ver", "tcp-ut", "track", "usesrc", "verify", "verifyhost", "weight"),
    *("ws", "client-sigalgs", "curves", "idle-ping", "init-state", "log-bufsize", "proxy-v2-options", "resolve-net"),
    *("sigalgs", "tcp-md5sig"),
))  # fmt: skip


def server_options(words: Sequence[str]) -> dict[str, str]:
    """The options of a server: of those that have no value, the value is ""."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        found[word] = rest.pop(0) if word in _WITH_VALUE and rest else ""
    return found


def bound(found: Collection[Proxy]) -> set[Address]:
    """The addresses that sections listen on."""
    addresses: set[Address] = set()
    for each in (endpoint for proxy in found for endpoint in proxy.endpoints if endpoint.address != ANY):
        with suppress(ValueError):
            addresses.add(ip_address(each.address))
    return addresses


def local_ports(found: Collection[Proxy]) -> set[int]:
    """The ports at which haproxy answers the node itself at localhost."""
    local = (ANY, "127.0.0.1", "::1", "localhost")
    return {each.port for proxy in found for each in proxy.endpoints if each.address in local}
