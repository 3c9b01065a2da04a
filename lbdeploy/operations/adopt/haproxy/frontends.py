"""The frontends of hosts.toml, from the ports of a haproxy.cfg. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lbdeploy.operations.adopt.haproxy.proxies import ANY, HandMadeServer, Proxy
from lbdeploy.operations.adopt.keepalived.table import tidy
from lbdeploy.operations.adopt.reading.haproxy_cfg import seconds
from lbdeploy.operations.adopt.reading.sources import Sources

_BALANCE = {"roundrobin": "roundrobin", "static-rr": "roundrobin", "leastconn": "leastconn", "source": "source"}
_LONGEST = 86400.0 * 20
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(slots=True)
class Frontends:
    """[frontends] of hosts.toml: `of` has the names of those that a section became, and `files` lie beside it."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    of: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def add(self, proxy: Proxy, networks: Mapping[str, Sequence[str]], sources: Sources) -> None:
        """The frontends of a section, one a port. `networks`: the VIPs of each. Sets `why` where there is none."""
        ports = list(dict.fromkeys(each.port for each in proxy.endpoints))
        reached = {port: _networks(proxy, port, networks) for port in ports}
        if not any(reached.values()):
            proxy.why = "it listens on no VIP, and frontends of hosts.toml are open on VIPs alone"
            return
        for port in (each for each in ports if reached[each]):
            name = self._name(proxy.front.name, port)
            table = self._table(name, proxy, port, sources)
            if len(reached[port]) < len(networks):
                table = {"port": port, "networks": reached[port]} | table
            self.tables[name] = table
            self.of.setdefault(proxy.front.name, []).append(name)

    def _name(self, name: str, port: int) -> str:
        plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name).strip("_.-")[:50] or "frontend"
        return plain if plain not in self.tables else f"{plain}-{port}"

    def _table(self, name: str, proxy: Proxy, port: int, sources: Sources) -> dict[str, Any]:
        made = {"port": port, "balance": _balance(proxy)} | _checks(proxy) | dict(_times(proxy)) | dict(_options(proxy))
        if made["check"] == "https":
            self._authority(made, name, proxy, sources)
        made["servers"] = server_tables(proxy, port)
        return made

    def _authority(self, made: dict[str, Any], name: str, proxy: Proxy, sources: Sources) -> None:
        """The CA that servers are checked with, copied beside hosts.toml."""
        path = proxy.option("ca-file") or ""
        text = sources.file(path) if path and proxy.option("verify") == "required" else None
        certificates = _CERTIFICATE.findall(text or "")
        if certificates:
            made["check_ca_file"] = f"ca/{name}.pem"
            self.files[made["check_ca_file"]] = "".join(f"{each}\n" for each in certificates)


def _networks(proxy: Proxy, port: int, networks: Mapping[str, Sequence[str]]) -> list[str]:
    """The networks on one of whose VIPs the section listens at this port."""
    addresses = {each.address for each in proxy.endpoints if each.port == port}
    return [name for name, vips in networks.items() if vips and (ANY in addresses or addresses & set(vips))]


def _balance(proxy: Proxy) -> str:
    line = proxy.back.last("balance")
    return _BALANCE.get(line.words[1] if line and len(line.words) > 1 else "roundrobin", "roundrobin")


def _checks(proxy: Proxy) -> dict[str, Any]:
    if not proxy.tls_check:
        return {"check": "tcp"}
    made = {"check": "https", "check_path": path(proxy)}
    host = proxy.option("check-sni") or proxy.option("verifyhost")
    return made | ({"check_host": host} if host else {})


def path(proxy: Proxy) -> str:
    """The page that a check asks for."""
    line = proxy.back.last("option", "httpchk")
    words = [each for each in (line.words[2:] if line else ()) if each.startswith("/")]
    sent = proxy.back.last("http-check", "send")
    if sent and "uri" in sent.words[:-1]:
        words = [sent.words[sent.words.index("uri") + 1]]
    return words[0] if words else "/"


def _times(proxy: Proxy) -> Iterator[tuple[str, Any]]:
    """What haproxy does by default where the file says nothing is written, too."""
    interval = _seconds(proxy.option("inter"), 2)
    yield "interval", interval
    yield "fast_interval", _seconds(proxy.option("fastinter") or proxy.option("downinter"), interval)
    yield "rise", _count(proxy.option("rise"), 2)
    yield "fall", _count(proxy.option("fall"), 3)
    yield from _timeouts(proxy, interval)
    if "slowstart" in {key for each in proxy.servers for key in each.options}:
        yield "slow_start", _seconds(proxy.option("slowstart"), 1)


def _timeouts(proxy: Proxy, interval: float) -> Iterator[tuple[str, Any]]:
    tunnel = proxy.timeout("tunnel")
    for name in ("connect", "client", "server"):
        value = tunnel if tunnel and name != "connect" else proxy.timeout(name)
        if value:
            yield f"{name}_timeout", bounded(value)
    check = proxy.timeout("check")
    yield "check_timeout", bounded(check) if check else interval


def _options(proxy: Proxy) -> Iterator[tuple[str, Any]]:
    if all("send-proxy-v2" in each.options for each in proxy.servers):
        yield "proxy_protocol", True
    if proxy.option("on-marked-down") == "shutdown-sessions":
        yield "when_down", "close"
    line = proxy.front.last("maxconn")
    if line and len(line.words) > 1 and re.fullmatch(r"[1-9][0-9]{0,6}", line.words[1]):
        yield "max_connections", int(line.words[1])


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
