"""Checks of a haproxy.cfg that ask servers for a page: what the https check of hosts.toml has of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lbdeploy.common.redact import hidden
from lbdeploy.operations.adopt.haproxy.proxies import HandMadeServer, Proxy
from lbdeploy.operations.adopt.reading.haproxy_cfg import Directive
from lbdeploy.operations.adopt.reading.sources import Sources

_MOST = 20  # that hosts.toml takes
_DEFAULT = (200,)
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_DNS_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
# Words of http-check expect that a value follows, and that do not say which answer is expected.
_ASIDE = frozenset((
    *("comment", "min-recv", "ok-status", "error-status", "tout-status", "status-code", "on-success", "on-error"),
))  # fmt: skip
_OF_CONNECT = {  # words of http-check connect that a value follows: what is lost; "" if nothing is
    "port": "the check asks at the port that clients' connections go to",
    "addr": "the check asks at the address that clients' connections go to",
    "sni": "it names no server, unless check_host does",
    **dict.fromkeys(("alpn", "proto", "comment"), ""),
}
_OTHERS = {
    "comment": "",
    "disable-on-404": "a server that answers 404 is down, not drained",
    "send-state": "servers are not told their state",
}


def table(proxy: Proxy) -> dict[str, Any]:
    """The keys of a frontend whose servers are checked so."""
    if not proxy.tls_check:
        return {"check": "tcp"}
    made: dict[str, Any] = {"check": "https", "check_path": _path(proxy)}
    ready = _ready(proxy)
    made |= {"check_status": ready} if ready != [*_DEFAULT] else {}
    host = _host(proxy)
    return made | ({"check_host": host} if host else {})


def verified(server: HandMadeServer) -> bool:
    """Whether haproxy verifies who answers a check by TLS: it does, unless it is told not to."""
    return server.options.get("verify", "required") == "required" and "ca-file" in server.options


def name_asked(server: HandMadeServer) -> str | None:
    """The name that a check asks for: haproxy compares a certificate with the SNI that it sent, or else verifyhost."""
    return server.options.get("check-sni") or (server.options.get("verifyhost") if verified(server) else None)


def certificates(server: HandMadeServer, sources: Sources) -> list[str]:
    """Those of its ca-file, whatever else is in there."""
    path = server.options.get("ca-file")
    return certificates_in(sources.file(path) or "") if path else []


def certificates_in(text: str) -> list[str]:
    """The certificates of a PEM file."""
    return _CERTIFICATE.findall(text)


def authorities(proxy: Proxy, sources: Sources) -> list[str]:
    """The CAs of all servers; none where a server is not verified, and might be down if it were."""
    found = [certificates(each, sources) if verified(each) else [] for each in proxy.servers]
    return list(dict.fromkeys(each for of_server in found for each in of_server)) if all(found) else []


def _host(proxy: Proxy) -> str | None:
    """check_host: the name of all servers, if they have one that hosts.toml takes."""
    names = {name_asked(each) for each in proxy.servers}
    name = names.pop() if len(names) == 1 else None
    return name if name and _DNS_NAME.fullmatch(name) else None


def statuses(frontend: Mapping[str, Any]) -> list[int]:
    """The answers that mean ready to a frontend of hosts.toml."""
    return [*frontend.get("check_status", _DEFAULT)]


def shown_path(frontend: Mapping[str, Any]) -> str:
    """The page that a frontend's check asks for, for people: it may have a password in its query."""
    return hidden(frontend["check_path"])


def is_of_check(line: Directive) -> bool:
    """Whether a line says how servers are asked for a page."""
    return line.begins("option", "httpchk") or line.begins("http-check")


def lost(proxy: Proxy, line: Directive, frontend: Mapping[str, Any]) -> list[str]:
    """What of such a line the https check of a frontend does not do."""
    words = line.words[2:]
    if line.words[0] == "option":
        return [*_of_httpchk(proxy, words, frontend)]
    match line.words[1:2]:
        case ("expect",):
            return [*_of_expect(_codes(words), frontend)]
        case ("send",):
            return [*_of_send(words, frontend)]
        case ("connect",):
            return [*_of_connect(words, frontend)]
    found = _OTHERS.get(" ".join(line.words[1:2]), "lbdeploy's check has nothing like it")
    return [found] if found else []


def _sent(proxy: Proxy, word: str) -> str | None:
    """What http-check send has for a keyword."""
    line = proxy.back.last("http-check", "send")
    return line.words[line.words.index(word) + 1] if line and word in line.words[:-1] else None


def _path(proxy: Proxy) -> str:
    """The page that a check asks for."""
    line = proxy.back.last("option", "httpchk")
    words = [each for each in (line.words[2:] if line else ()) if each.startswith("/")]
    return _sent(proxy, "uri") or next(iter(words), "/")


def _ready(proxy: Proxy) -> list[int]:
    """check_status: 200 where the file does not list what is expected, or lists more than hosts.toml can."""
    line = proxy.back.last("http-check", "expect")
    found = sorted(_codes(line.words[2:])) if line else []
    return found if 0 < len(found) <= _MOST else [*_DEFAULT]


def _codes(words: Sequence[str]) -> set[int]:
    """The statuses that http-check expect names, such as 200,401 or 200-299; none where it looks at something else."""
    rest = list(words)
    while rest and rest[0] in _ASIDE:
        del rest[:2]
    text = rest[1] if rest[:1] == ["status"] and rest[1:] else ""
    if not re.fullmatch(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*", text):
        return set()
    bounds = (each.partition("-") for each in text.split(","))
    return {code for first, _, last in bounds for code in range(int(first), int(last or first) + 1)}


def _of_httpchk(proxy: Proxy, words: Sequence[str], frontend: Mapping[str, Any]) -> Iterator[str]:
    """`option httpchk [METHOD] PATH [VERSION]`; header lines may follow the version."""
    if not _sent(proxy, "meth"):
        yield from _method(words[0] if len(words) > 1 else "OPTIONS")
    _, *headers = " ".join(words[2:]).splitlines() or [""]
    for each in headers:
        yield from _header(*each.partition(":")[::2], frontend)
    if not proxy.back.last("http-check", "expect"):
        yield "no longer every 2xx and 3xx"


def _of_expect(codes: set[int], frontend: Mapping[str, Any]) -> Iterator[str]:
    if not codes:
        yield "whatever else the answer says"
    elif codes != set(statuses(frontend)):
        yield "not what this line lists"


def _of_send(words: Sequence[str], frontend: Mapping[str, Any]) -> Iterator[str]:
    rest = list(words)
    while rest:
        match rest.pop(0), *rest[:2]:
            case ("meth", method, *_):
                yield from _method(method)
            case ("uri", path, *_) if path != frontend["check_path"]:
                yield f"check_path = {shown_path(frontend)}"
            case ("uri-lf", *_):
                yield f"check_path = {shown_path(frontend)}, without variables"
            case ("hdr", name, value):
                yield from _header(name, value, frontend)
                del rest[:1]
            case (("body" | "body-lf"), *_):
                yield "without a body"
        del rest[:1]


def _of_connect(words: Sequence[str], frontend: Mapping[str, Any]) -> Iterator[str]:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        value = rest.pop(0) if word in _OF_CONNECT and rest else ""
        if word == "send-proxy" and not frontend.get("proxy_protocol"):
            yield "without a PROXY header"
        elif word == "via-socks4":
            yield "not by a SOCKS proxy"
        elif _OF_CONNECT.get(word) and (word, value) != ("sni", frontend.get("check_host")):
            yield _OF_CONNECT[word]


def _method(method: str) -> Iterator[str]:
    if method != "GET":
        yield f"GET asks for the page, not {method}"


def _header(name: str, value: str, frontend: Mapping[str, Any]) -> Iterator[str]:
    """A header that is not sent, unless it is the name that check_host sends."""
    if name.lower() == "host" and value.strip() == frontend.get("check_host"):
        return
    keys = {"host": ": check_host sends one", "authorization": ": check_token_file gives a token"}
    shown = name if re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,40}", name) else "that it sends"
    yield f"without the header {shown}{keys.get(name.lower(), '')}"
