"""Ports that are in use now, and that a change shuts: by lbdeploy's firewall, or by a frontend's `allow`. Pure.

Each is given as (port, why, what to do). What can't be read with certainty shuts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from lbdeploy.common.debian import DAEMONS
from lbdeploy.config.model import Address, Subnet
from lbdeploy.node.haproxy_conf import Bind
from lbdeploy.node.surroundings import Port

Shut = tuple[str, str, str]
ONLY_ON_THE_LINK = ("systemd-resolve", "avahi-daemon")  # what they listen for comes from names that nobody asks for
_RULE = re.compile(r"\b(tcp|udp|th) dport (\{[^}]*\}|\S+)")
_UNCERTAIN = re.compile(r"@|\bjump\b|\bgoto\b|\bvmap\b|\binclude\b|policy accept")


def by_firewall(before: str, after: str, listening: Sequence[Port]) -> Iterator[Shut]:
    """The ports on which something listens, and that only the new rules (nft's) shut, from wherever one comes."""
    for each in listening:
        own = each.process in (*DAEMONS, *ONLY_ON_THE_LINK)  # what haproxy serves is looked at in its file
        if not own and not _opens(after, each) and (not before or _opens(before, each)):
            what = f"{'UDP ' if each.protocol == 'udp' else ''}port {each.number}"
            fix = (
                f"add it to firewall_allow in [cluster], which has {each.number} for TCP then"
                if each.protocol == "tcp"
                else "allow it with a firewall.nft.j2 of your own: docs/howto/firewall.md"
            )
            yield what, f"{each.process} listens there, and the firewall that hosts.toml asks for lets nobody in", fix


def _opens(rules: str, port: Port) -> bool:
    """Whether rules may let anybody in at a port."""
    if not rules or _UNCERTAIN.search(rules):
        return True
    return any(_accepts(line, port) for line in map(_bare, rules.splitlines()) if line.endswith("accept"))


def _bare(line: str) -> str:
    """A rule without its comment."""
    return re.sub(r'\bcomment "[^"]*"|#.*', "", line).strip()


def _accepts(rule: str, port: Port) -> bool:
    ports = [(found[1], found[2]) for found in _RULE.finditer(rule)]
    if ports:
        return any(protocol in (port.protocol, "th") and _covers(spec, port.number) for protocol, spec in ports)
    return not re.search(r"\b(l4proto|protocol|ct state|iif|iifname|sport|icmp|icmpv6|tcp flags)\b", rule)


def _covers(spec: str, number: str) -> bool:
    """Whether "22", "1-1024" or "{ 22, 80 }" has a port; a name may stand for any."""
    for each in re.split(r"[\s,]+", spec.strip("{} ")):
        first, _, last = each.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            return True
        if int(first) <= int(number) <= int(last or first):
            return True
    return False


def by_allow(before: Sequence[Bind], after: Sequence[Bind], clients: Sequence[tuple[str, Address]]) -> Iterator[Shut]:
    """The ports whose clients, connected at the moment, would not get in again, though they did until now."""
    for port in dict.fromkeys(port for port, _ in clients):
        old, new = ([each for each in binds if each.port == port] for binds in (before, after))
        shut = [each for number, each in clients if number == port and _gets_in(old, each) and not _gets_in(new, each)]
        if new and shut:
            more = f" and {len(shut) - 1} more" if len(shut) > 1 else ""
            name = new[0].section
            why = f"connected now, and in no network of its allow in hosts.toml: {shut[0]}{more}"
            yield f"port {port} for clients", why, f"add their networks to allow of frontend {name}"


def _gets_in(binds: Sequence[Bind], client: Address) -> bool:
    return any(not each.allowed or any(client in net for net in map(_network, each.allowed) if net) for each in binds)


def _network(text: str) -> Subnet | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
