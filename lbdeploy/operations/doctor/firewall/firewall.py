"""Which firewall on a node blocks VRRP or a frontend's clients, and what to type there to allow them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lbdeploy.operations.doctor.firewall import iptables, nftables
from lbdeploy.operations.doctor.firewall.packet_filter import ACCEPT, DROP, Chain, Packet, fates

OWN = "inet lbdeploy"  # the table that lbdeploy may have put there: it allows what it must
Direction = Literal["input", "output"]
# Lists a node's rules; each of the three lists may be missing.
PROBE = """\
nft -j list ruleset | head -c 4000000
printf '\\nip\\n'
iptables -S | head -n 20000
printf '\\nip6\\n'
ip6tables -S | head -n 20000"""


@dataclass(frozen=True, slots=True)
class Culprit:
    """A chain that drops a packet, and the program it belongs to: ufw, firewalld, iptables or nft."""

    whose: str
    chain: str

    def __str__(self) -> str:
        return f"chain {self.chain} of {self.whose}"


def shuts_out(lines: Sequence[str], packet: Packet) -> Culprit | None:
    """The chain that drops the first packet of a connection to a port. `lines`: what PROBE prints.

    None where rules that accept by a network, an interface or a mark may let clients in.
    """
    return next((who for who, ends in _met(lines, "input", packet) if ACCEPT not in ends), None)


def opening(culprit: Culprit, packet: Packet) -> str:
    """What to type for a TCP port to be reached."""
    port = packet.port
    match culprit.whose:
        case "ufw":
            return f"ufw allow {port}/tcp; where `ufw status` has a rule that denies it: ufw delete deny {port} first"
        case "firewalld":
            return f"firewall-cmd --permanent --add-port={port}/tcp; firewall-cmd --reload"
        case "nft":
            return f"nft insert rule {culprit.chain} tcp dport {port} accept; and the same in /etc/nftables.conf"
    return f"{_program(packet)} -I INPUT -p tcp --dport {port} -j ACCEPT; and keep it over a reboot"


def remedy(lines: Sequence[str], direction: Direction, packet: Packet, interface: str) -> str:
    """How to let VRRP, which was found to be blocked, in from a peer, or out to it."""
    peer, side = (packet.source, "s") if direction == "input" else (packet.target, "d")
    culprit = next((who for who, ends in _met(lines, direction, packet) if DROP in ends), Culprit("", ""))
    six = "" if packet.version == 4 else "6"
    match culprit.whose:
        case "ufw":
            rule = f"-A ufw{six}-before-{direction} -{side} {peer} -p vrrp -j ACCEPT"
            return f"add to /etc/ufw/before{six}.rules, above COMMIT: {rule}; then: ufw reload"
        case "firewalld":
            return "firewall-cmd --permanent --add-protocol=vrrp; firewall-cmd --reload"
        case "nft":
            rule = f"{culprit.chain} ip{six} {side}addr {peer} meta l4proto 112 accept"
            return f"nft insert rule {rule}; and the same in /etc/nftables.conf, or where its rules come from"
        case "iptables":
            rule = f"{direction.upper()} -{side} {peer} -p vrrp -j ACCEPT"
            return f"{_program(packet)} -I {rule}; and keep it over a reboot"
    way = "from" if direction == "input" else "to"
    return f"let IP protocol 112 through {way} {peer} on {interface}, wherever it is filtered"


def _program(packet: Packet) -> str:
    return "iptables" if packet.version == 4 else "ip6tables"


def _met(lines: Sequence[str], direction: Direction, packet: Packet) -> Iterator[tuple[Culprit, frozenset[str]]]:
    """The base chains that a packet passes, and what may become of it there. Each has to accept it.

    iptables comes first: where it is the nf_tables variant, nft lists its rules, too, but incompletely.
    """
    rules = iptables.chains(_section(lines, "ip" if packet.version == 4 else "ip6"), packet)
    yield from _ends(rules, direction, "ufw" if any(name.startswith("ufw") for name in rules) else "iptables")
    tables = nftables.chains("\n".join(_section(lines, "")), packet, but=OWN)
    yield from _ends(tables, direction, "nft")


def _ends(chains: dict[str, Chain], direction: Direction, whose: str) -> Iterator[tuple[Culprit, frozenset[str]]]:
    for chain in chains.values():
        if chain.hook == direction:
            firewalld = whose == "nft" and chain.name.split()[1] == "firewalld"
            yield Culprit("firewalld" if firewalld else whose, chain.name), fates(chain, chains)


def _section(lines: Sequence[str], name: str) -> list[str]:
    """The lines of the section with this header line; "" is the first section."""
    found, now = [], ""
    for line in lines:
        if line in ("ip", "ip6"):
            now = line
        elif now == name:
            found.append(line)
    return found
