"""Rules for keepalived.conf."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_interface

from lbdeploy.config.keys import near
from lbdeploy.config.model import Cluster, Interface, Node
from lbdeploy.node import keepalived_conf
from lbdeploy.node.vrrp_priority import HANDOVER
from lbdeploy.planning.lint.text import Complaint, matches, plain


def _pidof(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, _ in matches(content, r"script\b.*\bpidof\b"):
        message = "pidof never succeeds: keepalived before 2.3 runs killall5, what it links to, and no VIP is placed"
        yield "error", line, message, 'use "/etc/keepalived/check-haproxy"'


def _script_on_next_line(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, _ in matches(content, r"^\s*script\s*$"):
        message = "script has no value on its line: keepalived takes the next line for a keyword that it does not know"
        yield "error", line, message, "write the script on the same line"


def _master_with_delay(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, _ in matches(content, r"^\s*state\s+MASTER\b"):
        for _, found in matches(content, r"^\s*(preempt_delay\b(?!\s+0+(\.0*)?\s*$)|nopreempt\b)"):
            message = f"state MASTER with {found[1]}: keepalived -t refuses it, since a MASTER waits for nobody"
            yield "error", line, message, "state BACKUP on every node: the priority elects"


def _own_interface(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    own = node.interfaces[cluster.vrrp.network]
    text = plain(content)
    for block in re.finditer(r"track_interface\s*\{([^}]*)\}", text):
        if own in block[1].split():
            line = text[: block.start()].count("\n") + 1
            message = f"{own} is VRRP's own interface: keepalived -t refuses to track it again"
            yield "error", line, message, "leave it out"


def _script_security(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    scripts = list(matches(content, r"^\s*script\b"))
    if scripts and not (
        any(matches(content, r"enable_script_security")) and any(matches(content, r"script_user\s+root\b"))
    ):
        message = "a script without script security: keepalived -t refuses it, and any user's script would run as root"
        yield "error", scripts[0][0], message, "add enable_script_security and script_user root to global_defs"


def _no_peers(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    text = plain(content)
    for found in re.finditer(r"unicast_peer\s*\{\s*\}", text):
        line = text[: found.start()].count("\n") + 1
        yield "error", line, "an empty unicast_peer list means multicast to keepalived before 2.2.4", "name the peers"


def _fractional_v2(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, found in matches(content, r"^\s*advert_int\s+(\d*\.\d+)"):
        if not any(matches(content, r"^\s*(vrrp_version|version)\s+3\b")):
            message = f"advert_int {found[1]} is rounded to whole seconds by VRRP version 2"
            yield "error", line, message, "add vrrp_version 3 to global_defs"


def _addresses(content: str) -> Iterator[tuple[str, int, list[Interface]]]:
    """The addresses on each line of the blocks that list any: (block's keyword, line, addresses)."""
    block = ""
    for number, line in enumerate(plain(content).splitlines(), 1):
        if found := re.search(r"\b(virtual_ipaddress|virtual_ipaddress_excluded|unicast_peer)\b", line):
            block = found[1]
        if block:
            words = re.split(r"[\s{}]+", line)
            yield block, number, [each for word in words for each in _address(word)]
        block = "" if "}" in line else block


def _address(word: str) -> list[Interface]:
    try:
        return [ip_interface(word)] if re.search(r"[.:]", word) else []
    except ValueError:
        return []


def _one_a_line(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for block, line, addresses in _addresses(content):
        if len(addresses) > 1:
            message = f"{len(addresses)} addresses on one line of {block}: keepalived ignores all but the first"
            yield "error", line, message, "a line for each"


def _one_family(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    seen = [(line, each) for block, line, each in _addresses(content) if block == "virtual_ipaddress"]
    families = [(line, address.version) for line, addresses in seen for address in addresses]
    for line, version in families:
        if version != families[0][1]:
            message = f"IPv{version} in a virtual_ipaddress of IPv{families[0][1]}: keepalived ignores it"
            yield "error", line, message, "put it into virtual_ipaddress_excluded, which moves with the others"
            return


def _long_secret(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, _ in matches(content, r"^\s*auth_pass\s+\S{9,}"):
        message = "a value of auth_pass with over 8 characters: keepalived -t refuses it, and the rest would not count"
        yield "error", line, message, "8 characters; or none: anybody on the network can read it (RFC 9568)"


def _tracked_nowhere(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    if any(matches(content, r"^\s*include\w*\s")):
        return  # what another file defines can't be seen from here
    for kind, blocks in (("track_script", ("vrrp_script",)), ("track_file", ("track_file", "vrrp_track_file"))):
        tracked, known = keepalived_conf.tracked(content, kind), keepalived_conf.defined(content, *blocks)
        for name in sorted(tracked - known):
            line = next((number for number, _ in matches(content, rf"(^|[\s{{]){re.escape(name)}(?![\w-])")), None)
            message = f"{kind} names {name}, and there is no such {blocks[0]}: keepalived -t refuses it"
            yield "error", line, message, near(name, sorted(known)) if known else "leave it out"


def _other_than_hosts_toml(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    """lbdeploy goes by hosts.toml when it listens for other VRRP routers, moves VIPs, and says who should hold them."""
    for part in cluster.parts:
        found = keepalived_conf.find(content, part.vrrp.router_id, part.instance)
        if found is None and part.group:
            message = f"has no VRRP instance for the VIPs of {part.group}: nothing would move them"
            yield "error", None, message, "take the loop over groups over from the built-in template"
        yield from _unlike(part, part.node(node.name), content, found or keepalived_conf.read(content))


def _unlike(part: Cluster, node: Node, content: str, instance: keepalived_conf.Instance | None) -> Iterator[Complaint]:
    """What an instance has otherwise than hosts.toml."""
    source = (node.addresses[part.vrrp.network], "{{ node.addresses[vrrp.network] }}")
    of = "group" if part.group else ""
    wanted = {
        "virtual_router_id": (part.vrrp.router_id, f"{{{{ {of or 'vrrp'}.router_id }}}}"),
        "priority": (node.priority, f"{{{{ {of or 'node'}.priority }}}}"),
        "unicast_src_ip": source,
        "mcast_src_ip": source,
    }
    for key, (value, variable) in wanted.items():
        written = instance.settings.get(key) if instance else None
        if written and written != str(value):
            line = next((number for number, _ in matches(content, rf"^\s*{key}\b")), None)
            message = f"{key} is {written}, and hosts.toml says {value}: lbdeploy goes by that"
            yield "warning", line, message, f"{key} {variable}"


def _no_handover(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    instances = keepalived_conf.read_all(content)
    whole = plain(content).count("{") == plain(content).count("}")
    if whole and not all(each.hands_over for each in instances):
        message = f"does not track {HANDOVER}: lbdeploy can't move the VIPs without failed connections"
        yield "warning", None, message, "take the track_file handover over from the built-in template"


def _anybody(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    instance = keepalived_conf.read(content)
    for line, _ in matches(content, r"^\s*unicast_peer\b"):
        if instance and instance.peers and not any(matches(content, r"\b(min_ttl|(vrrp_)?check_unicast_src)\b")):
            message = "adverts of any host count, and can take the VIPs away"
            yield "warning", line, message, "min_ttl 255 max_ttl 255 after each peer, as in the built-in template"


def _low_hop_limit(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    if node.addresses[cluster.vrrp.network].version == 6 and not any(matches(content, r"^\s*unicast_ttl\s+255\b")):
        for line, _ in matches(content, r"\bmin_ttl\s+(6[5-9]|[7-9]\d|[12]\d\d)\b"):
            message = "keepalived sends IPv6 adverts with a hop limit of 64: with this min_ttl, no peer would be heard"
            yield "error", line, message, "add unicast_ttl 255 above unicast_peer, on all nodes"
            return


def _no_address_check(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    if keepalived_conf.read(content) and not any(matches(content, r"^\s*script\b.*/check-address\b")):
        message = "does not check the node's own address: without it, the node hears no peer, and takes the VIPs"
        yield "warning", None, message, "take the vrrp_script check_address over from the built-in template"


def _braces(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    text = plain(content)
    opened, closed = text.count("{"), text.count("}")
    if opened != closed:
        yield "error", None, f"has {opened} opening and {closed} closing braces", "check its template"


RULES = (
    _pidof,
    _script_on_next_line,
    _master_with_delay,
    _own_interface,
    _script_security,
    _no_peers,
    _fractional_v2,
    _one_a_line,
    _one_family,
    _long_secret,
    _tracked_nowhere,
    _other_than_hosts_toml,
    _no_handover,
    _anybody,
    _low_hop_limit,
    _no_address_check,
    _braces,
)
