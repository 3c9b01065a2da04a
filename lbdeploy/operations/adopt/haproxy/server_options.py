"""What a frontend of hosts.toml does otherwise for a server than its options of a haproxy.cfg say. Pure.

A frontend has one setting for all of its servers where haproxy has one for each: "kept" is what holds for this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lbdeploy.operations.adopt.haproxy import http_checks
from lbdeploy.operations.adopt.haproxy.meanings import SERVER
from lbdeploy.operations.adopt.haproxy.proxies import HandMadeServer, Proxy
from lbdeploy.operations.adopt.reading.haproxy_cfg import seconds

_CONNECTS = "the check does not speak TLS: it connects"
_UNVERIFIED = "the check does not verify who answers: check_ca_file is one of all servers"
_UNNAMED = "the check asks for no name: a frontend has one check_host for all its servers"


@dataclass(frozen=True, slots=True)
class Served:
    """A server of a section, and what hosts.toml has in its place: the frontend's table, and its `entry` there.

    `own` and `trusted`: the certificates of its ca-file, and those that the frontend's check trusts.
    """

    proxy: Proxy
    server: HandMadeServer
    table: Mapping[str, Any]
    entry: Mapping[str, Any]
    own: Collection[str] = ()
    trusted: Collection[str] = ()

    def lost(self, option: str, value: str | None) -> str:
        """What is not as an option says, None being that of a server that lacks it; "" where nothing is lost."""
        if compare := _COMPARED.get(option):
            return compare(self, value)
        return "" if value is None else SERVER.get(option, f"without {option}")

    def lost_of_line(self, own: Mapping[str, str]) -> Iterator[str]:
        """The same of a server's own options, and of what it has nowhere and most others may have."""
        options = {option: None for option in _LACKED if option not in self.server.options} | dict(own)
        yield from (text for option, value in options.items() if (text := self.lost(option, value)))

    @property
    def speaks_tls(self) -> bool:
        return "check-ssl" in self.server.options or self.proxy.tls_check


def _time(key: str, usual: str | None, served: Served, value: str | None) -> str:
    """`usual`: what haproxy has where a server says nothing; None for what it does not do then."""
    there, said = served.table.get(key), value or usual
    return "" if (seconds(said) if said else None) == there else _set_to(key, there)


def _count(key: str, usual: str, served: Served, value: str | None) -> str:
    there = served.table[key]
    return "" if (value or usual) == str(there) else _set_to(key, there)


def _number(key: str, usual: int, served: Served, value: str | None) -> str:
    there = served.entry.get(key, usual)
    return "" if (value or str(usual)) == str(there) else _set_to(key, there or None)


def _set_to(key: str, value: object) -> str:
    return f"{key} is not set" if value is None else f"{key} = {value}"


def _backup(served: Served, value: str | None) -> str:
    there = "backup" in served.entry
    return "" if there == (value is not None) else f"it is {'a' if there else 'no'} backup"


def _proxy_header(served: Served, value: str | None) -> str:
    there = bool(served.table.get("proxy_protocol"))
    if there == (value is not None):
        return ""
    return "its connections begin with a PROXY header" if there else "no PROXY header tells it who a client is"


def _header_of_check(served: Served, value: str | None) -> str:
    return "" if value is None or served.table.get("proxy_protocol") else "the check sends no PROXY header"


def _when_down(served: Served, value: str | None) -> str:
    there = served.table.get("when_down") == "close"
    if there == (value == "shutdown-sessions"):
        return ""
    return f"its connections {'are closed' if there else 'stay'} when it is down"


def _check_ssl(served: Served, value: str | None) -> str:
    https = served.table["check"] == "https"
    if value is not None:
        return "" if https else _CONNECTS
    return "the check asks for a page by TLS" if https and not served.proxy.tls_check else ""


def _verify(served: Served, value: str | None) -> str:
    """`verify none`, or what says with `verify required` who may have signed."""
    if value == "none":
        return "the check verifies who answers: check_ca_file" if "check_ca_file" in served.table else ""
    return _authority(served, value)


def _authority(served: Served, _: str | None) -> str:
    if not served.speaks_tls or not http_checks.verified(served.server):
        return ""
    if served.table["check"] != "https":
        return _CONNECTS
    if "check_ca_file" not in served.table:
        return _UNVERIFIED
    if not set(served.own) <= set(served.trusted):
        return "check_ca_file has another CA"
    more = set(served.trusted) - set(served.own)
    return "check_ca_file has the CAs of all servers: any of them may have signed a certificate" if more else ""


def _name(served: Served, value: str | None) -> str:
    """check-sni or verifyhost: what counts of them, since haproxy compares with the one that it has sent."""
    asked, there = http_checks.name_asked(served.server), served.table.get("check_host")
    if not served.speaks_tls or asked == there or (value is not None and value != asked):
        return ""
    if served.table["check"] != "https":
        return _CONNECTS
    return f"check_host = {there}" if there else _UNNAMED


def _silence(_: Served, value: str | None) -> str:
    return "" if value is None or seconds(value) == 10 else "tcp-ut is 10 s, as for all servers"


_COMPARED: dict[str, Callable[[Served, str | None], str]] = {
    "inter": partial(_time, "interval", "2s"),
    "fastinter": partial(_time, "fast_interval", None),
    "downinter": partial(_time, "fast_interval", None),
    "slowstart": partial(_time, "slow_start", None),
    "rise": partial(_count, "rise", "2"),
    "fall": partial(_count, "fall", "3"),
    "weight": partial(_number, "weight", 1),
    "maxconn": partial(_number, "max_connections", 0),
    "backup": _backup,
    "send-proxy-v2": _proxy_header,
    "check-send-proxy": _header_of_check,
    "on-marked-down": _when_down,
    "check-ssl": _check_ssl,
    "verify": _verify,
    "ca-file": _authority,
    "check-sni": _name,
    "verifyhost": _name,
    "tcp-ut": _silence,
}
_LACKED = (
    *("inter", "rise", "fall", "slowstart", "weight", "maxconn", "backup", "send-proxy-v2", "on-marked-down"),
    *("check-ssl", "check-sni"),
)


def lost_of_many(served: Sequence[Served], options: Mapping[str, str]) -> list[str] | None:
    """What options for all lose, with the servers where it is not all of them; None if none has them from there."""
    texts: dict[str, list[str]] = {}
    touched: list[str] = []
    for each in served:
        for option, value in options.items():
            said = _taken(each.server, option, value)
            if said is not None:
                touched.append(each.server.name)
                if text := each.lost(*said):
                    texts.setdefault(text, []).append(each.server.name)
    every = {each.server.name for each in served}
    if not touched:
        return None
    return [
        text if {*names} == every else f"{text} ({', '.join(dict.fromkeys(names))})" for text, names in texts.items()
    ]


def _taken(server: HandMadeServer, option: str, value: str) -> tuple[str, str | None] | None:
    """The option and its value for a server that has it from a line for all; None for one that has it otherwise."""
    plain = option.removeprefix("no-")
    if plain in server.own or f"no-{plain}" in server.own or server.options.get(option) != value:
        return None
    return (plain, None) if option != plain and plain in _COMPARED else (option, value)
