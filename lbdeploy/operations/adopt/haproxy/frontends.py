"""The frontends of hosts.toml, from the ports of a haproxy.cfg. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from lbdeploy.operations.adopt.haproxy import http_checks
from lbdeploy.operations.adopt.haproxy.places import Places
from lbdeploy.operations.adopt.haproxy.proxies import HandMadeServer, Proxy
from lbdeploy.operations.adopt.keepalived.table import tidy
from lbdeploy.operations.adopt.reading.haproxy_cfg import seconds
from lbdeploy.operations.adopt.reading.sources import Sources

_BALANCE = {"roundrobin": "roundrobin", "static-rr": "roundrobin", "leastconn": "leastconn", "source": "source"}
_LONGEST = 86400.0 * 20


@dataclass(slots=True)
class Frontends:
    """[frontends] of hosts.toml, open at these `places`, each `on` some of the VIPs.

    `of` has the names of those that a node's section became, and `files` lie beside hosts.toml.
    """

    places: Places
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    on: dict[str, Set[str]] = field(default_factory=dict)
    of: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def add(self, node: str, proxy: Proxy, beside: Sequence[Proxy], sources: Sources) -> None:
        """The frontends of a node's section, one a port; sets `why` where there is none.

        Where another node serves the port already, they get the servers that only this one has: a node that lacks one
        would not serve what the other does.
        """
        reached = self.places.reached(proxy, beside)
        if not reached:
            proxy.why = "it listens on no VIP, and frontends of hosts.toml are open on VIPs alone"
        mine = {name for (owner, _), names in self.of.items() if owner == node for name in names}
        for port, vips in reached.items():
            there = [name for name in self.on if self.on[name] & vips and self.tables[name]["port"] == port]
            known = [name for name in there if name not in mine]
            for name in known:
                add_servers(self.tables[name], proxy)
            names = known or [self._new(proxy, port, vips, sources)]
            self.of.setdefault((node, proxy.front.name), []).extend(names)

    def _new(self, proxy: Proxy, port: int, vips: Set[str], sources: Sources) -> str:
        name = self._name(proxy.front.name, port)
        table = self._table(name, proxy, port, sources)
        self.tables[name] = {"port": port} | (self.places.keys(vips) or {}) | table
        self.on[name] = vips
        return name

    def _name(self, name: str, port: int) -> str:
        plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name).strip("_.-")[:50] or "frontend"
        return plain if plain not in self.tables else f"{plain}-{port}"

    def _table(self, name: str, proxy: Proxy, port: int, sources: Sources) -> dict[str, Any]:
        made = (
            {"port": port, "balance": _balance(proxy)}
            | http_checks.table(proxy)
            | dict(_times(proxy))
            | dict(_options(proxy, port))
        )
        if made["check"] == "https":
            self._authority(made, name, proxy, sources)
        made["servers"] = server_tables(proxy, port)
        return made

    def _authority(self, made: dict[str, Any], name: str, proxy: Proxy, sources: Sources) -> None:
        """The CA that servers are checked with, copied beside hosts.toml."""
        if found := http_checks.authorities(proxy, sources):
            made["check_ca_file"] = f"ca/{name}.pem"
            self.files[made["check_ca_file"]] = "".join(f"{each}\n" for each in found)


def leave_to_each(nodes: Mapping[str, Sequence[Proxy]], places: Places) -> None:
    """Sets `why` of each section at whose port another node does what no frontend can: a node would have it twice."""
    every = [(name, proxy, _open(places, proxy, of_node)) for name, of_node in nodes.items() for proxy in of_node]
    left = [each for each in every if each[1].why]
    while left:
        node, cause, there = left.pop()
        for other in every:
            name, proxy, ports = other
            if name != node and not proxy.why and (common := ports & there):
                port = min(port for _, port in common)
                proxy.why = f"{node} has {cause.front.kind} {cause.front.name} at port {port}: {cause.why}"
                left.append(other)


def _open(places: Places, proxy: Proxy, beside: Sequence[Proxy]) -> set[tuple[str, int]]:
    return {(vip, port) for port, vips in places.reached(proxy, beside).items() for vip in vips}


def _balance(proxy: Proxy) -> str:
    line = proxy.back.last("balance")
    return _BALANCE.get(line.words[1] if line and len(line.words) > 1 else "roundrobin", "roundrobin")


def _times(proxy: Proxy) -> Iterator[tuple[str, Any]]:
    """What haproxy does by default where the file says nothing is written, too."""
    interval = _seconds(proxy.option("inter"), 2)
    yield "interval", interval
    yield "fast_interval", _seconds(proxy.option("fastinter") or proxy.option("downinter"), interval)
    yield "rise", _count(proxy.option("rise"), 2)
    yield "fall", _count(proxy.option("fall"), 3)
    yield from _timeouts(proxy, interval)
    if start := proxy.option("slowstart"):
        yield "slow_start", _seconds(start, 1)


def _timeouts(proxy: Proxy, interval: float) -> Iterator[tuple[str, Any]]:
    tunnel = proxy.timeout("tunnel")
    for name in ("connect", "client", "server"):
        value = tunnel if tunnel and name != "connect" else proxy.timeout(name)
        if value:
            yield f"{name}_timeout", bounded(value)
    check = proxy.timeout("check")
    yield "check_timeout", bounded(check) if check else interval


def _options(proxy: Proxy, port: int) -> Iterator[tuple[str, Any]]:
    if any("send-proxy-v2" in each.options for each in proxy.servers):  # all of them, or it would be no frontend
        yield "proxy_protocol", True
    if proxy.option("on-marked-down") == "shutdown-sessions":
        yield "when_down", "close"
    if limit := proxy.limit(port):
        yield "max_connections", limit


def _seconds(text: str | None, default: float) -> float:
    value = seconds(text) if text else None
    return bounded(value) if value else default


def bounded(value: float) -> float:
    """A time that hosts.toml admits."""
    return tidy(max(0.1, min(_LONGEST, value)))


def _count(text: str | None, default: int) -> int:
    return max(1, min(100, int(text))) if text and re.fullmatch(r"[0-9]{1,4}", text) else default


def server_tables(proxy: Proxy, port: int) -> dict[str, Any]:
    """By name: an address, or a table where there is more to say. A second one of the same address is left out."""
    made: dict[str, Any] = {}
    seen: set[tuple[object, int]] = set()
    for each in proxy.servers:
        place = (each.address, each.port or port)
        if place not in seen:
            seen.add(place)
            made[server_name(each)] = _server(each, port)
    return made


def add_servers(table: dict[str, Any], proxy: Proxy) -> None:
    """Adds the servers of a section whose addresses a frontend does not have yet, under names of their own."""
    port = table["port"]
    for server, entry in server_tables(proxy, port).items():
        if not _named(table, _address(entry, port)):
            others = (f"{server}-{number}" for number in count(2))
            table["servers"][server if server not in table["servers"] else _free(others, table)] = entry


def _free(names: Iterator[str], table: dict[str, Any]) -> str:
    return next(each for each in names if each not in table["servers"])


def name_in(table: dict[str, Any], server: HandMadeServer) -> str | None:
    """The name that a frontend has for a server: another node may have called it otherwise."""
    own = server_name(server)
    port = table["port"]
    address = _address(_server(server, port), port)
    return own if address == _address(table["servers"].get(own, ""), port) else _named(table, address)


def _named(table: dict[str, Any], address: str) -> str | None:
    found = (name for name, entry in table["servers"].items() if _address(entry, table["port"]) == address)
    return next(found, None)


def _address(entry: Any, port: int) -> str:
    text = str(entry["address"] if isinstance(entry, dict) else entry)
    return text if re.search(r"\]:|^[^:]*:[0-9]+$", text) else f"{text} port {port}"


def server_name(server: HandMadeServer) -> str:
    """Its name, as hosts.toml admits it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", server.name).strip("_.-")[:60] or "server"


def _server(server: HandMadeServer, port: int) -> Any:
    host = f"[{server.address}]" if server.address.version == 6 else str(server.address)
    text = f"{host}:{server.port}" if server.port and server.port != port else str(server.address)
    more: dict[str, Any] = {"backup": True} if "backup" in server.options else {}
    for option, key in (("weight", "weight"), ("maxconn", "max_connections")):
        value = server.options.get(option, "")
        usual = "1" if key == "weight" else "0"
        if re.fullmatch(r"[0-9]{1,6}", value) and value != usual:
            more[key] = min(256, int(value)) if key == "weight" else int(value)
    return {"address": text} | more if more else text
