"""Reading a node's firewall, as far as it takes to say how VRRP and frontends are let through it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from lbdeploy.model import Address

OWN = "inet lbdeploy"  # the table that lbdeploy may have put there
Direction = Literal["input", "output"]


def remedy(lines: Sequence[str], direction: Direction, peer: Address, interface: str) -> str:
    """What to do for VRRP to get in from a peer, or out to it. `lines`: nft list ruleset, then iptables -S."""
    text = "\n".join(lines)
    family = "ip" if peer.version == 4 else "ip6"
    side = "s" if direction == "input" else "d"
    if "ufw-before-input" in text:
        rule = f"-A ufw-before-{direction} -{side} {peer} -p vrrp -j ACCEPT"
        return f"add to /etc/ufw/before.rules, above COMMIT: {rule}; then: ufw reload"
    if re.search(r"^table \w+ firewalld\b", text, re.MULTILINE):
        return "firewall-cmd --permanent --add-protocol=vrrp; firewall-cmd --reload"
    if chain := _chain(lines, direction):
        match = f"{family} {side}addr {peer} meta l4proto 112 accept"
        return f"nft insert rule {chain} {match}; and the same in /etc/nftables.conf, or where its rules come from"
    if re.search(rf"^-[PA] {direction.upper()}\b.*\b(DROP|REJECT)\b", text, re.MULTILINE):
        tables = "iptables" if peer.version == 4 else "ip6tables"
        return f"{tables} -I {direction.upper()} -{side} {peer} -p vrrp -j ACCEPT; and keep it over a reboot"
    way = "from" if direction == "input" else "to"
    return f"let IP protocol 112 through {way} {peer} on {interface}, wherever it is filtered"


def shuts_out(lines: Sequence[str], port: int) -> str | None:
    """What to do for a TCP port to be reached, where the firewall lets in only what rules name, and none names it.

    Rules that accept by other marks (an address, an interface, a set's name) may let it in all the same.
    """
    text = "\n".join(_others(lines))
    if re.search(rf"\bdports?\b.*(?<![\d.]){port}(?![\d.])", text):
        return None
    if "ufw-before-input" in text:
        return f"ufw allow {port}/tcp"
    if re.search(r"^table \w+ firewalld\b", text, re.MULTILINE):
        return f"firewall-cmd --permanent --add-port={port}/tcp; firewall-cmd --reload"
    if found := _default_deny(lines):
        return f"nft insert rule {found} tcp dport {port} accept; and the same in /etc/nftables.conf"
    if re.search(r"^-P INPUT DROP\b|^-A INPUT -j (DROP|REJECT)\b", text, re.MULTILINE):
        return f"iptables -I INPUT -p tcp --dport {port} -j ACCEPT; and keep it over a reboot"
    return None


def _others(lines: Sequence[str]) -> Iterator[str]:
    """Without lbdeploy's own table, which lets in what has to be."""
    own = False
    for line in lines:
        own = line.startswith(f"table {OWN} ") or (own and line != "}")
        if not own:
            yield line


def _default_deny(lines: Sequence[str]) -> str | None:
    """The first chain of the input hook that drops what no rule accepts: its family, table and name."""
    table = chain = ""
    for line in map(str.strip, _others(lines)):
        if found := re.match(r"table (\w+ \S+) \{", line):
            table = found[1]
        elif found := re.match(r"chain (\S+) \{", line):
            chain = found[1]
        elif re.match(r"type filter hook input\b.*policy drop", line) and table.split()[0] in ("ip", "ip6", "inet"):
            return f"{table} {chain}"
    return None


def _chain(lines: Sequence[str], direction: Direction) -> str | None:
    """The first chain of that hook that may refuse a packet: its family, table and name."""
    table = chain = ""
    hooked = False
    for line in map(str.strip, _others(lines)):
        if found := re.match(r"table (\w+ \S+) \{", line):
            table = found[1]
        elif found := re.match(r"chain (\S+) \{", line):
            chain, hooked = found[1], False
        elif re.match(rf"type filter hook {direction}\b", line):
            hooked = True
        if hooked and table.split()[0] in ("ip", "ip6", "inet") and re.search(r"\b(drop|reject|jump|goto)\b", line):
            return f"{table} {chain}"
    return None
