"""What becomes of each line of a haproxy.cfg. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.operations.adopt.haproxy import http_checks
from lbdeploy.operations.adopt.haproxy.frontends import Frontends, name_in
from lbdeploy.operations.adopt.haproxy.kept_sections import FILE, KeptSections
from lbdeploy.operations.adopt.haproxy.meanings import BIND, DEFAULTS, GLOBALS, PROXY
from lbdeploy.operations.adopt.haproxy.proxies import ANY, Endpoint, HandMadeServer, Proxy, bind_options, server_options
from lbdeploy.operations.adopt.haproxy.server_options import Served, lost_of_many
from lbdeploy.operations.adopt.reading.haproxy_cfg import Directive, Section, seconds
from lbdeploy.operations.adopt.reading.machine import Machine
from lbdeploy.operations.adopt.rows import UNREAD, LineRow, Meaning, row

_TIMEOUTS = {
    "connect": ["connect_timeout"],
    "client": ["client_timeout"],
    "server": ["server_timeout"],
    "check": ["check_timeout"],
    "tunnel": ["client_timeout", "server_timeout"],
}
_NO_LIMIT = "max_connections is not set: it would be one limit of all addresses together"
_OF_HTTP: Meaning = ("equal", "of HTTP only: frontends of hosts.toml pass TCP on")


@dataclass(frozen=True, slots=True)
class HaproxySide:
    """A node's haproxy.cfg, and what hosts.toml has in its place."""

    machine: Machine
    sections: Sequence[Section]
    proxies: Sequence[Proxy]
    frontends: Frontends
    kept: KeptSections
    vips: frozenset[str]
    preferred: str

    def tables(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [self.frontends.tables[name] for name in names]

    def served(self, section: Section) -> list[str]:
        """The frontends of hosts.toml that do what a section does."""
        leading = [each for each in self.proxies if any(section is part for part in each.sections) and not each.why]
        return [name for each in leading for name in self.names_of(each)]

    def names_of(self, proxy: Proxy) -> list[str]:
        """The frontends of hosts.toml that a section which listens became."""
        return self.frontends.of.get((self.machine.name, proxy.front.name), [])


def rows(side: HaproxySide) -> Iterator[LineRow]:
    """A row for each line of each section, the section's own first."""
    for section in side.sections:
        names = side.served(section)
        for line in [section.head, *section.lines]:
            yield row(
                side.machine.name,
                line.place,
                line.text,
                UNREAD if line.unread else _meaning(side, section, names, line),
            )


def _meaning(side: HaproxySide, section: Section, names: Sequence[str], line: Directive) -> Meaning:
    if line.place.file in side.machine.files_that_stay():
        return "kept", "haproxy goes on reading this file, which lbdeploy leaves alone: under lbdeploy's defaults"
    if side.kept.has(line):
        return "kept", f"{FILE}: as it is, beside lbdeploy's own sections"
    if section.kind == "global":
        return _looked_up(GLOBALS, line, "haproxy's own default holds: lbdeploy's section global does not set it")
    if section.kind == "defaults":
        return _default(side, line)
    return _of_section(side, section, names, line)


def _of_section(side: HaproxySide, section: Section, names: Sequence[str], line: Directive) -> Meaning:
    if not names:
        return _left_out(side, section)
    if line is section.head:
        return "kept", ", ".join(f"frontends.{name}" for name in names)
    return _proxy(side, names, line)


def _left_out(side: HaproxySide, section: Section) -> Meaning:
    """A section that no frontend of hosts.toml does the work of."""
    leading = [each for each in side.proxies if any(section is part for part in each.sections)]
    why = next((each.why for each in leading if each.why), "")
    if leading:
        return "ends", f"{section.kind} {section.name}: {why}"
    if section.kind == "backend":
        return "ends", "only what has rules of its own leads to it, or nothing does"
    return "ends", f"hosts.toml has nothing like the section {section.kind}"


def _default(side: HaproxySide, line: Directive) -> Meaning:
    """A line of a section defaults: it matters for the frontends that hosts.toml has."""
    names = list(side.frontends.tables)
    if http_checks.is_of_check(line) and (checked := _checked_by(side, line)):
        return _http_check(side, checked, line)
    match line.words[0]:
        case "defaults":
            return "kept", "each frontend has its settings in hosts.toml"
        case "mode":
            return ("kept", "frontends pass TCP on") if line.words[1:] == ("tcp",) else _OF_HTTP
        case "timeout" | "balance" | "default-server" | "maxconn" if names:
            return _proxy(side, names, line, default=True)
    return _looked_up(DEFAULTS, line, "haproxy's own default holds", default=_looked_up(PROXY, line, ""))


def _proxy(side: HaproxySide, names: Sequence[str], line: Directive, *, default: bool = False) -> Meaning:
    """A line of a section that became frontends, or of its defaults."""
    words = line.words
    if words[0] == "timeout" and len(words) == 3 and words[1] in _TIMEOUTS:
        return _timeout(side, names, words[1], words[2], default=default)
    if words[0] in ("balance", "maxconn"):
        key = "max_connections" if words[0] == "maxconn" else "balance"
        return _all(side, names, key, words[1] if len(words) > 1 else "roundrobin")
    if words[:2] == ("mode", "tcp"):
        return "kept", "frontends pass TCP on"
    handler = _OF_WORD.get(words[0]) or _OF_WORD.get(" ".join(words[:2]))
    if handler:
        return handler(side, names, line)
    return _looked_up(PROXY, line, "lbdeploy's section has no such line: haproxy's default holds")


def _looked_up(
    table: Mapping[str, Meaning], line: Directive, otherwise: str, default: Meaning | None = None
) -> Meaning:
    """By the first two words, or the first; "no option x" is that of option x, where it has no meaning of its own."""
    words = line.words[1:] if line.words[0] == "no" else line.words
    found = table.get(" ".join(line.words[:3])) or table.get(" ".join(words[:2])) or table.get(words[0])
    return found or (default if default and default[1] else ("changes", otherwise))


def _bind(side: HaproxySide, names: Sequence[str], line: Directive) -> Meaning:
    own = [end for each in side.proxies for end in each.endpoints if end.line is line]
    key = ", ".join(f"frontends.{name}" for name in names)
    lost = _words_of_bind(side, names, line)
    if any(each.address == ANY for each in own):
        alone = f"{key}: open on the VIPs alone, no longer at the nodes' own addresses nor at 127.0.0.1"
        return "changes", "; ".join((alone, *lost))
    elsewhere = [each.address for each in own if each.address not in side.vips]
    if elsewhere:
        return "ends", f"{', '.join(elsewhere)} is no VIP: frontends of hosts.toml are open on VIPs alone"
    verdict, meaning = _on_vip(side, names, own, key)
    return ("changes", "; ".join((meaning, *lost))) if lost else (verdict, meaning)


def _words_of_bind(side: HaproxySide, names: Sequence[str], line: Directive) -> list[str]:
    """What the frontends do otherwise than the words behind the addresses say."""
    options = bind_options(line)
    lost = [BIND[word] for word in options if BIND.get(word)]
    limit = options.get("maxconn", "0")
    there = [str(table.get("max_connections", 0)) for table in side.tables(names)]
    if limit != "0" and {*there} != {limit}:
        lost.append(f"max_connections = {', '.join(there)}" if {*there} != {"0"} else _NO_LIMIT)
    return lost


def _on_vip(side: HaproxySide, names: Sequence[str], own: Sequence[Endpoint], key: str) -> Meaning:
    on = [(side.frontends.tables[name], side.frontends.on[name]) for name in names]
    lost = [each for each in own if not any(each.port == table["port"] and each.address in vips for table, vips in on)]
    if lost:
        return "changes", f"{key}: the VIPs are those on which {side.preferred} has it"
    words = {word for table, _ in on for word in ("groups", "networks") if word in table}
    return "kept", f"{key}.port and " + (f"its {' and '.join(sorted(words))}" if words else "the networks' VIPs")


def _timeout(side: HaproxySide, names: Sequence[str], name: str, value: str, *, default: bool) -> Meaning:
    time = seconds(value)
    for key in _TIMEOUTS[name]:
        wanted = {table.get(key) for table in side.tables(names)}
        if time is None or wanted != {time}:
            if default and time in wanted:
                return "kept", f"{key} of the frontends that have none of their own"
            own = default and all(each.has_own_timeout(name) for each in side.proxies if not each.why)
            return _differs(names, key, wanted, own=own)
    key = _TIMEOUTS[name][-1]
    hint = "; lbdeploy's own is 4 h, so that watches and logs that are silent last: leave the key out to have it"
    quiet = name in ("client", "server", "tunnel") and time is not None and time < 3600
    return "kept", f"frontends.{names[0]}.{key} = {side.tables(names)[0][key]}{hint if quiet else ''}"


def _differs(names: Sequence[str], key: str, wanted: set[Any], *, own: bool) -> Meaning:
    shown = ", ".join(str(each) for each in wanted if each is not None)
    if own and shown:
        return "equal", f"the sections have their own: frontends.{names[0]}.{key} = {shown}"
    return "changes", f"frontends.{names[0]}.{key} = {shown}" if shown else f"{key}: lbdeploy's default holds"


def _all(side: HaproxySide, names: Sequence[str], key: str, value: str) -> Meaning:
    wanted = {str(table.get(key)) for table in side.tables(names)}
    path = f"frontends.{names[0]}.{key}"
    if wanted == {value} or (key == "balance" and value == "static-rr"):
        return "kept", f"{path} = {', '.join(wanted)}"
    if "None" in wanted:
        return "changes", f"{path} is not set: the number of connections is as haproxy has it"
    return "changes", f"{path} = {', '.join(wanted)}"


def _options(side: HaproxySide, names: Sequence[str], line: Directive) -> Meaning:
    """Options of all servers: kept if hosts.toml has the value of each for each of these."""
    of = (each for each in side.proxies if not each.why and _is_of(each, line))
    served = [each for proxy in of for server in proxy.servers for each in _served(side, names, proxy, server)]
    lost = lost_of_many(served, server_options(line.words[1:]))
    if lost is None:
        return "equal", "no server has these from here"
    return ("changes", "; ".join(lost)) if lost else ("kept", f"interval, rise, fall and so on of frontends.{names[0]}")


def _served(side: HaproxySide, names: Sequence[str], proxy: Proxy, server: HandMadeServer) -> Iterator[Served]:
    """What each frontend that a section became has in place of a server, unless that is another server's."""
    sources = side.machine.sources["haproxy"]
    for table in side.tables([each for each in side.names_of(proxy) if each in names]):
        name = name_in(table, server)
        if name is not None and not proxy.has_before(server):
            entry = table["servers"][name]
            trusted = http_checks.certificates_in(side.frontends.files.get(table.get("check_ca_file", ""), ""))
            own = http_checks.certificates(server, sources)
            yield Served(proxy, server, table, entry if isinstance(entry, dict) else {}, own, trusted)


def _server(side: HaproxySide, names: Sequence[str], line: Directive) -> Meaning:
    pairs = ((proxy, each) for proxy in side.proxies for each in proxy.servers if each.line is line)
    served = [each for proxy, server in pairs for each in _served(side, names, proxy, server)]
    if not served:
        return "ends", "it is the same address and port as another server, or no address"
    found = served[0].server
    lost = list(dict.fromkeys(text for each in served for text in each.lost_of_line(found.own)))
    if found.host:
        lost.append(f"{found.host} is {found.address} for {side.machine.name} at present, which hosts.toml has")
    if any(_backups_begin_to_share(each.table, each.proxy, found) for each in served):
        lost.append("all backups share the load: without option allbackups, the first of them alone has it now")
    if "check" not in found.options:
        lost.insert(0, "it is checked, which it is not now: while it does not answer, it gets no connections")
    key = f"frontends.{names[0]}.servers.{name_in(side.tables(names)[0], found)}"
    return ("changes", f"{key}; {'; '.join(lost)}") if lost else ("kept", key)


def _backups_begin_to_share(table: Mapping[str, Any], proxy: Proxy, server: HandMadeServer) -> bool:
    """Whether a server is one of several backups of which haproxy uses one at a time: lbdeploy's frontends use all."""
    backups = [each for each in table["servers"].values() if isinstance(each, dict) and "backup" in each]
    return "backup" in server.options and len(backups) > 1 and not proxy.back.has_option("allbackups")


def _http_check(side: HaproxySide, names: Sequence[str], line: Directive) -> Meaning:
    table = side.tables(names)[0]
    if table["check"] != "https":
        return (
            "changes",
            f"frontends.{names[0]}.check = tcp: a server is up if it accepts connections; "
            'check = "https" asks for a page, by TLS',
        )
    ready = ", ".join(str(each) for each in http_checks.statuses(table))
    what = f'frontends.{names[0]}.check = "https", GET {http_checks.shown_path(table)}: {ready} is ready, nothing else'
    proxy = next(each for each in side.proxies if _is_of(each, line) and set(side.names_of(each)) & set(names))
    lost = http_checks.lost(proxy, line, table)
    return ("changes", f"{what}; {'; '.join(lost)}") if lost else ("kept", what)


def _is_of(proxy: Proxy, line: Directive) -> bool:
    """Whether a line is of the section, or of the defaults that it goes by."""
    lines = (*proxy.front.lines, *proxy.back.lines, *proxy.back.defaults)
    return any(line is each for each in lines)


def _checked_by(side: HaproxySide, line: Directive) -> list[str]:
    """The frontends whose servers are asked for a page as a line of the defaults says."""
    asking = [each for each in side.proxies if not each.why and each.asks_for_a_page]
    return [name for each in asking if each.back.last(*line.words[:2]) is line for name in side.names_of(each)]


_OF_WORD = {
    "bind": _bind,
    "default-server": _options,
    "server": _server,
    "option httpchk": _http_check,
    "http-check": _http_check,
}
