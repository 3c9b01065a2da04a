"""Reading what `ip a`, haproxy's `show stat` and the VIPs themselves say. Pure: text in, frozen data out.

A node may say anything: what can't be read is passed over, and no text makes these functions raise.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from lbdeploy.model import Address, Interface

UP_CHECKS = ("L4OK", "L6OK", "L7OK")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface: its name, whether it is up and has a carrier, and its addresses with prefix length."""

    name: str
    up: bool
    addresses: tuple[Interface, ...]


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

    @property
    def up(self) -> bool:
        """Whether a check has proved it: a server that was not checked yet shows "UP 1/2" or the check status INI."""
        return self.status == "UP" and self.check_status in UP_CHECKS

    @property
    def initial(self) -> bool:
        """Whether its first check is still under way."""
        return self.check_status in ("INI", "") and self.status.startswith("UP")


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether anything behind a VIP and port answered a greeting: `first_byte` as two hex digits, "" for none."""

    ip: Address
    port: int
    first_byte: str

    @property
    def ok(self) -> bool:
        return bool(self.first_byte)


_LINK = re.compile(r"^\d+: (?P<name>[^:@\s]+)(?:@\S+)?: <(?P<flags>[^>]*)>")
_ADDRESS = re.compile(r"^\s+inet6? (?P<address>[0-9a-fA-F.:]+)(?: peer [0-9a-fA-F.:]+)?(?:/(?P<prefix>\d+))?\s")


def parse_ip_a(text: str) -> tuple[Link, ...]:
    """The interfaces in the output of `ip a`, in its order; lines that say something else are passed over.

    Understands iproute2 of any age: newer ones add flags and fields, never take one away.
    """
    links: list[tuple[str, bool, list[Interface]]] = []
    for line in text.splitlines():
        if link := _LINK.match(line):
            flags = link["flags"].split(",")
            links.append((link["name"], "UP" in flags and "LOWER_UP" in flags, []))
        elif links and (found := _ADDRESS.match(line)):
            with suppress(ValueError):
                links[-1][2].append(ip_interface(found["address"] + (f"/{found['prefix']}" if found["prefix"] else "")))
    return tuple(Link(name, up, tuple(addresses)) for name, up, addresses in links)


def parse_show_stat(text: str) -> tuple[ServerStat, ...]:
    """The servers in the output of `show stat`, in its order; frontends and backends are passed over.

    Columns are found by the names in the first line, since haproxy adds to them. No output gives no servers.
    """
    lines = text.strip().splitlines()
    if not lines or not lines[0].startswith("# pxname,svname,"):
        return ()
    rows = csv.DictReader([lines[0].removeprefix("# "), *lines[1:]], restval="")
    return tuple(_servers(rows))


def _servers(rows: csv.DictReader[str]) -> Iterator[ServerStat]:
    with suppress(csv.Error):
        yield from (_server(row) for row in rows if row["svname"] not in ("FRONTEND", "BACKEND"))


def _server(row: dict[str, str]) -> ServerStat:
    return ServerStat(
        frontend=row["pxname"],
        server=row["svname"],
        status=row.get("status", ""),
        check_status=row.get("check_status", "").removeprefix("* "),  # "* ": another check is under way
        check_detail=row.get("last_chk", ""),
        since=_number(row.get("lastchg", "")),
        sessions=_number(row.get("scur", "")) or 0,
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def parse_answered(text: str) -> tuple[Answered, ...]:
    """Lines of address, port and, where anything answered, the first byte of the answer."""
    return tuple(answered for line in text.splitlines() if (answered := _answered(line.split())))


def _answered(words: list[str]) -> Answered | None:
    with suppress(ValueError):  # too few words, no address, no number
        ip, port, *byte = words
        return Answered(ip_address(ip), int(port), byte[0] if byte else "")
    return None
