"""Parsers for `ip a`, haproxy's `show stat` and the answers of the VIPs. Pure: text in, frozen data out.

A node may print anything: what can't be parsed is skipped, and no text makes these functions raise.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface

from lbdeploy.config.model import Address, Interface

UP_CHECKS = ("L4OK", "L6OK", "L7OK")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface: name, whether it is up and has a carrier, addresses with prefix length, MAC or "".

    `doubtful` are addresses that can't be used, each with the flag that `ip a` shows: tentative, while duplicate
    address detection is running, or dadfailed, where another host has it (ip-address(8), RFC 4862 section 5.4).
    `secondary` are those of IPv4 that came after another one of the same subnet, which is the primary. `others` are the
    kernel's alternative names of it (ip-link(8): altname), by which keepalived does not find it.
    """

    name: str
    up: bool
    addresses: tuple[Interface, ...]
    mac: str = field(default="", compare=False)
    doubtful: Mapping[Address, str] = field(default_factory=dict)
    secondary: frozenset[Address] = frozenset()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A host that answered for an address on the wire (ARP, or IPv6 neighbour discovery)."""

    ip: Address
    mac: str


@dataclass(frozen=True, slots=True)
class ServerStat:
    """A server as one haproxy sees it (management guide, section 9.1). `since`: seconds in this status, or None."""

    frontend: str
    server: str
    status: str
    check_status: str
    check_detail: str
    since: int | None
    sessions: int
    check_code: str = ""  # what the last check was answered with: the status of HTTP

    @property
    def up(self) -> bool:
        """Whether a check has proved it up: a server not checked yet shows "UP 1/2" or the check status INI."""
        return self.status == "UP" and self.check_status in UP_CHECKS

    @property
    def drained(self) -> bool:
        """Whether it is healthy, but gets no new connections: its weight is 0."""
        return self.status == "DRAIN" and self.check_status in UP_CHECKS

    @property
    def initial(self) -> bool:
        """Whether its first check is still under way."""
        return self.check_status in ("INI", "") and self.status.startswith("UP")

    @property
    def settling(self) -> bool:
        """Whether more checks are due soon: the first one, or those after a successful one ("DOWN 1/3")."""
        return self.initial or (self.check_status in UP_CHECKS and bool(re.fullmatch(r"DOWN \d+/\d+", self.status)))


@dataclass(frozen=True, slots=True)
class Load:
    """A frontend's load on a node: open sessions, new ones a second, all since haproxy last loaded its file."""

    frontend: str
    sessions: int
    rate: int
    total: int


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether anything behind a VIP and port answered a greeting: `first_byte` as two hex digits, "" for none."""

    ip: Address
    port: int
    first_byte: str

    @property
    def ok(self) -> bool:
        return bool(self.first_byte)


@dataclass(frozen=True, slots=True)
class Room:
    """What is free for root in a folder's file system; `inodes` is a large number where there is no limit."""

    folder: str
    kib: int
    inodes: int


_COLUMNS = ("pxname", "svname", "status", "check_status", "check_code", "last_chk", "lastchg", "scur", "rate", "stot")
_LINK = re.compile(r"^\d+: (?P<name>[^:@\s]+)(?:@\S+)?: <(?P<flags>[^>]*)>")
_ETHER = re.compile(r"^\s+link/\w+ (?P<mac>[0-9a-f:]+) ")
_ADDRESS = re.compile(
    r"^\s+inet6? (?P<address>[0-9a-fA-F.:]+)(?: peer [0-9a-fA-F.:]+)?(?:/(?P<prefix>\d+))?\s(?P<rest>.*)"
)
_SECONDARY = "secondary"
_DOUBTS = ("dadfailed", "tentative")  # a failed one is flagged tentative, too


def parse_ip_a(text: str) -> tuple[Link, ...]:
    """The interfaces in the output of `ip a`, in its order; other lines are skipped.

    Works with any version of iproute2: newer ones add flags and fields, and remove none.
    """
    links: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if link := _LINK.match(line):
            links.append((link, []))
        elif links:
            links[-1][1].append(line)
    return tuple(_link(head, lines) for head, lines in links)


def _link(head: re.Match[str], lines: Sequence[str]) -> Link:
    """An interface, from its first line and those below it."""
    flags = head["flags"].split(",")
    mac = next((ether["mac"] for line in lines if (ether := _ETHER.match(line))), "")
    found = [each for line in lines if (match := _ADDRESS.match(line)) and (each := _address(match))]
    doubtful = {address.ip: flag for address, flag in found if flag in _DOUBTS}
    secondary = frozenset(address.ip for address, flag in found if flag == _SECONDARY)
    up = "UP" in flags and "LOWER_UP" in flags
    others = tuple(words[1] for line in lines if (words := line.split())[:1] == ["altname"] and len(words) == 2)
    return Link(head["name"], up, tuple(address for address, _ in found), mac, doubtful, secondary, others)


def _address(found: re.Match[str]) -> tuple[Interface, str] | None:
    """An address, and the first of the flags that count here, or ""."""
    with suppress(ValueError):
        address = ip_interface(found["address"] + (f"/{found['prefix']}" if found["prefix"] else ""))
        return address, next((each for each in (*_DOUBTS, _SECONDARY) if each in found["rest"].split()), "")
    return None


def parse_show_stat(text: str) -> tuple[ServerStat, ...]:
    """The servers in the output of `show stat`, in its order; frontends and backends are skipped."""
    return tuple(_server(row) for row in _stats(text) if row["svname"] not in ("FRONTEND", "BACKEND"))


def parse_loads(text: str) -> tuple[Load, ...]:
    """The frontends in the output of `show stat`, in its order."""
    return tuple(_load(row) for row in _stats(text) if row["svname"] == "FRONTEND")


def _stats(text: str) -> Iterator[dict[str, str]]:
    """The rows of `show stat` (management guide, section 9.1). Empty output has none.

    Columns are found by the names in the first line, since haproxy adds to them; others than _COLUMNS are passed over.
    """
    lines = text.strip().splitlines()
    if not lines or not lines[0].startswith("# pxname,svname,"):
        return
    with suppress(csv.Error):
        head, *rows = csv.reader([lines[0].removeprefix("# "), *lines[1:]])
        places = {name: head.index(name) for name in _COLUMNS if name in head}
        for row in rows:
            yield {name: row[place] if place < len(row) else "" for name, place in places.items()}


def _load(row: dict[str, str]) -> Load:
    sessions, rate, total = (_number(row.get(key, "")) or 0 for key in ("scur", "rate", "stot"))
    return Load(row["pxname"], sessions, rate, total)


def _server(row: dict[str, str]) -> ServerStat:
    return ServerStat(
        frontend=row["pxname"],
        server=row["svname"],
        status=row.get("status", ""),
        check_status=row.get("check_status", "").removeprefix("* "),  # "* ": another check is under way
        check_detail=row.get("last_chk", ""),
        since=_number(row.get("lastchg", "")),
        sessions=_number(row.get("scur", "")) or 0,
        check_code=row.get("check_code", ""),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 18 else None


def parse_answered(text: str) -> tuple[Answered, ...]:
    """Lines of address, port and, where anything answered, the first byte of the answer."""
    return tuple(answered for line in text.splitlines() if (answered := _answered(line.split())))


def _answered(words: list[str]) -> Answered | None:
    with suppress(ValueError):  # too few words, no address, no number
        ip, port, *byte = words
        return Answered(ip_address(ip), int(port), byte[0] if byte else "")
    return None


def parse_neighbours(text: str) -> tuple[Neighbour, ...]:
    """The neighbours in the output of `ip neigh` that answered, and so have a link-layer address (ip-neighbour(8))."""
    words = [line.split() for line in text.splitlines() if " lladdr " in line and "FAILED" not in line]
    return tuple(neighbour for each in words if (neighbour := _neighbour(each)))


def _neighbour(words: list[str]) -> Neighbour | None:
    with suppress(ValueError, IndexError):  # no address; nothing after lladdr
        return Neighbour(ip_address(words[0]), words[words.index("lladdr") + 1])
    return None


def parse_greeted(text: str) -> dict[str, bool]:
    """Lines of "own", a frontend and, where anything answered on its local socket, the first byte of the answer."""
    words = [line.split() for line in text.splitlines()]
    return {each[1]: len(each) == 3 for each in words if len(each) in (2, 3) and each[0] == "own"}


def parse_room(text: str) -> tuple[Room, ...]:
    """Lines of `df --output=avail,iavail,file -k`; a file system without inodes shows "-"."""
    words = [line.split() for line in text.splitlines()]
    found = ((each[2], _number(each[0]), _number(each[1])) for each in words if len(each) == 3)
    return tuple(
        Room(folder, kib, 1 << 60 if inodes is None else inodes) for folder, kib, inodes in found if kib is not None
    )
