"""What is known to go wrong with a rendered configuration, found offline. Every rule was measured on real daemons.

The built-in templates pass; these rules are for what an operator's own templates and settings may do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_interface
from itertools import pairwise

from lbdeploy import vrrp
from lbdeploy.desired import HAPROXY_CFG, HAPROXY_SOCKET, KEEPALIVED_CONF, OWN_SCRIPTS, files
from lbdeploy.errors import shown
from lbdeploy.model import Cluster, Frontend, Interface, Node
from lbdeploy.probe import frontend_socket
from lbdeploy.render import strangers


@dataclass(frozen=True, slots=True)
class Lint:
    """`severity` is error (it will not work) or warning; `file` a path on the node, or here; `line` counts from 1."""

    severity: str
    node: str | None
    file: str
    line: int | None
    message: str
    fix: str

    def to_json(self) -> dict[str, object]:
        return {
            "severity": self.severity, "node": self.node, "file": self.file, "line": self.line,
            "message": self.message, "fix": self.fix,
        }  # fmt: skip


Complaint = tuple[str, int | None, str, str]
Rule = Callable[[Cluster, Node, str], Iterator[Complaint]]


def lint(cluster: Cluster) -> list[Lint]:
    """Everything that is suspicious in what would be written to the nodes. Raises RenderError."""
    found = list(_settings(cluster))
    for path in strangers(cluster):
        fix = "give it the name of a built-in template, or remove it"
        found.append(
            Lint("warning", None, str(shown(path)), None, "replaces no built-in template, and is not used", fix)
        )
    for node in cluster.nodes:
        for file in files(cluster, node):
            for rule in RULES.get(file.path, ()):
                found += [
                    Lint(s, node.name, file.path, line, *rest) for s, line, *rest in rule(cluster, node, file.content)
                ]
            if not file.path.startswith(OWN_SCRIPTS):
                found += [Lint(s, node.name, file.path, line, *rest) for s, line, *rest in _whole(file.content)]
    return found


def _settings(cluster: Cluster) -> Iterator[Lint]:
    vrrp, path = cluster.vrrp, str(shown(cluster.path))
    if vrrp.initial_state == "MASTER" and vrrp.preempt_delay:
        message = 'initial_state = "MASTER" loses preempt_delay: keepalived clears it'
        yield Lint("warning", None, path, None, message, 'leave initial_state out: "auto" lets the priority elect')
    for vip in cluster.vips:
        if vip.ip not in dict(cluster.targets):
            fix = f"add {vip.network} to the key networks of one, or take the VIP out"
            yield Lint("warning", None, path, None, f"no frontend listens on the VIP {vip.ip}", fix)
    for frontend in cluster.frontends:
        for side, seconds in (("client", frontend.client_timeout), ("server", frontend.server_timeout)):
            if seconds < 600:
                key = f"frontends.{frontend.name}.{side}_timeout"
                message = f"{key} of {seconds:g} s cuts off kubectl logs -f, exec and watches"
                yield Lint("warning", None, path, None, message, "leave it out: the default is four hours")
        yield from (Lint("warning", None, path, None, *each) for each in _pointless(frontend))
    yield from (Lint("warning", None, path, None, *each) for each in _weights(cluster))
    if vrrp.advert_interval < 1:
        yield from (Lint("warning", None, path, None, *slow) for slow in _slower_than_vrrp(cluster))


def _pointless(frontend: Frontend) -> Iterator[tuple[str, str]]:
    """Settings of a frontend that its servers do not understand, or that have not the effect that one expects."""
    key = f"frontends.{frontend.name}"
    if frontend.proxy_protocol and (frontend.port == 6443 or any(each.port == 6443 for each in frontend.servers)):
        message = f"{key}.proxy_protocol: kube-apiserver (port 6443) takes a PROXY header for a broken connection"
        yield message, "leave it out: it is for an ingress controller that expects the header"
    if frontend.check_host and not frontend.check_ca:
        message = f"{key}.check_host: servers are told the name, but without a CA no certificate is verified"
        yield message, f'to have it verified: {key}.check_ca_file = "FILE"'


def _slower_than_vrrp(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Frontends whose servers may be dead for longer than a node can be: then quick adverts alone are of little use.

    What fails together, as a rack does, is not over when the VIPs have moved: it is when haproxy has seen it, too.
    """
    vrrp = cluster.vrrp
    nodes = vrrp.check_interval * vrrp.check_fall + 3 * vrrp.advert_interval
    for each in cluster.frontends:
        servers = each.interval + (each.fall - 1) * each.fast_interval
        if servers > nodes:
            message = (
                f"frontends.{each.name}: haproxy may take {servers:g} s to see that a server is gone "
                f"(interval + (fall - 1) x fast_interval), keepalived {nodes:g} s for a node "
                "(check_interval x check_fall + 3 x advert_interval)"
            )
            yield message, f"for the servers to be checked as quickly: {_as_quick(nodes, each.fall)}"


def _weights(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Weights that can't do what they are there for: keepalived keeps each priority from 1 to 254 (measured)."""
    vrrp, nodes = cluster.vrrp, cluster.nodes
    distance = max(above.priority - below.priority for above, below in pairwise(nodes))
    above, below = next(pair for pair in pairwise(nodes) if pair[0].priority - pair[1].priority == distance)
    tracked = [(f"vrrp.track_files.{each.name}", each.weight, True) for each in vrrp.track_files]
    tracked += [(f"vrrp.track_scripts.{each.name}", each.weight, False) for each in vrrp.track_scripts]
    for key, weight, counts in tracked:
        if weight and abs(weight) <= distance:
            once = ", while the number in the file is 1" if counts else ""
            message = (
                f"{key}: a weight of {weight} moves no VIP from {above.name} (priority {above.priority}) "
                f"to {below.name} ({below.priority}){once}"
            )
            needed = (distance + 1) * (1 if weight > 0 else -1)
            yield message, f"weight = {needed}, or {'more' if needed > 0 else 'less'}; or bring the priorities closer"
    yield from _clamped(cluster)


def _clamped(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Sums that keepalived does not go by.

    One that falls below 1 is harmless, as long as no other does: then their addresses decide. One that rises over 254
    is not even low when lbdeploy takes all that it can from it.
    """
    vrrp, nodes = cluster.vrrp, cluster.nodes
    every = [each.weight for each in vrrp.track_files] + [each.weight for each in vrrp.track_scripts]
    low, high = sum(min(0, each) for each in every), sum(max(0, each) for each in every)
    fallen = [node for node in nodes if node.priority + low < 1]
    if len(fallen) > 1:
        names = " and of ".join(f"{node.name} ({node.priority}{low:+d})" for node in fallen)
        message = f"with all that is tracked failing, the priorities of {names} count as 1, and addresses decide"
        yield message, f"weights that add up to {1 - fallen[0].priority} or more, or higher priorities"
    for node in nodes:
        if node.priority + high > 254:
            message = f"with all that it tracks, the priority of {node.name} ({node.priority}{high:+d}) counts as 254"
            fix = f"weights that add up to {254 - node.priority} or less, or a lower priority"
            yield f"{message}, and lbdeploy can't move the VIPs away from it", fix


def _as_quick(seconds: float, fall: int) -> str:
    """Settings of a frontend by which a server is seen to be gone within so many seconds."""
    fall = min(fall, 3)
    step = max(int(seconds / (fall + 1) * 10) / 10, 0.1)  # an interval takes two steps, a fast one takes one
    return f"interval = {2 * step:g}, fast_interval = {step:g}, fall = {fall}"


def _whole(content: str) -> Iterator[Complaint]:
    if not content.strip():
        yield "error", None, "is empty, which the validators accept", "see to its template"
    elif not content.endswith("\n"):
        line = content.count("\n") + 1
        yield (
            "error",
            line,
            "the last line has no newline, which haproxy refuses",
            "end the template with an empty line",
        )


def _plain(content: str) -> str:
    """The text without comments, line for line: keepalived's begin with # or ! (keepalived.conf(5))."""
    return re.sub(r"[#!].*", "", content)


def _matches(content: str, pattern: str) -> Iterator[tuple[int, re.Match[str]]]:
    for number, line in enumerate(_plain(content).splitlines(), 1):
        if found := re.search(pattern, line):
            yield number, found


def _pidof(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, _ in _matches(content, r"script\b.*\bpidof\b"):
        message = "pidof never succeeds: keepalived before 2.3 runs killall5, what it links to, and no VIP is placed"
        yield "error", line, message, 'use "/etc/keepalived/check-haproxy"'


def _master_with_delay(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, _ in _matches(content, r"^\s*state\s+MASTER\b"):
        if any(_matches(content, r"^\s*preempt_delay\s+[1-9]")):
            message = "state MASTER clears preempt_delay: the returning node takes the VIPs at once"
            yield "warning", line, message, "state BACKUP on every node: the priority elects"


def _own_interface(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    own = node.interfaces[cluster.vrrp.network]
    plain = _plain(content)
    for block in re.finditer(r"track_interface\s*\{([^}]*)\}", plain):
        if own in block[1].split():
            line = plain[: block.start()].count("\n") + 1
            message = f"{own} is VRRP's own interface: keepalived -t refuses to track it again"
            yield "error", line, message, "leave it out"


def _script_security(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    scripts = list(_matches(content, r"^\s*script\b"))
    if scripts and not (
        any(_matches(content, r"enable_script_security")) and any(_matches(content, r"script_user\s+root\b"))
    ):
        message = "a script without script security: keepalived -t refuses it, and any user's script would run as root"
        yield "error", scripts[0][0], message, "add enable_script_security and script_user root to global_defs"


def _no_peers(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    plain = _plain(content)
    for found in re.finditer(r"unicast_peer\s*\{\s*\}", plain):
        line = plain[: found.start()].count("\n") + 1
        yield "error", line, "an empty unicast_peer list means multicast to keepalived before 2.2.4", "name the peers"


def _fractional_v2(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    for line, found in _matches(content, r"^\s*advert_int\s+(\d*\.\d+)"):
        if not any(_matches(content, r"^\s*(vrrp_version|version)\s+3\b")):
            message = f"advert_int {found[1]} is rounded to whole seconds by VRRP version 2"
            yield "error", line, message, "add vrrp_version 3 to global_defs"


def _addresses(content: str) -> Iterator[tuple[str, int, list[Interface]]]:
    """The addresses on each line of the blocks that list any: (block's keyword, line, addresses)."""
    block = ""
    for number, line in enumerate(_plain(content).splitlines(), 1):
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
    for line, _ in _matches(content, r"^\s*auth_pass\s+\S{9,}"):
        message = "auth_pass is longer than 8 characters: keepalived -t refuses it, and the rest would not count"
        yield "error", line, message, "8 characters; or none: anybody on the network can read it (RFC 9568)"


def _no_handover(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    instance = vrrp.read(content)
    whole = _plain(content).count("{") == _plain(content).count("}")
    if whole and instance and not instance.hands_over:
        message = f"does not track {vrrp.HANDOVER}: lbdeploy can't move the VIPs without failed connections"
        yield "warning", None, message, "take the track_file handover over from the built-in template"


def _no_socket(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    plain = _plain(content)
    socket = rf"^\s*stats\s+socket\s+{re.escape(HAPROXY_SOCKET)}\s.*\blevel\s+admin\b"
    if not plain.strip():
        return
    if not re.search(socket, plain, re.MULTILINE):
        message = f"has no stats socket {HAPROXY_SOCKET} of level admin: nobody could say whether servers are up"
        yield "error", None, message, "take the line stats socket over from the built-in template"
    for frontend in cluster.frontends:
        path = frontend_socket(frontend.name)
        if not re.search(rf"^\s*bind\s+unix@{re.escape(path)}\s", plain, re.MULTILINE):
            message = f"frontend {frontend.name} is not bound to {path}: nobody could ask a standby whether it serves"
            yield "warning", None, message, "take the line bind unix@ over from the built-in template"


def _braces(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    plain = _plain(content)
    opened, closed = plain.count("{"), plain.count("}")
    if opened != closed:
        yield "error", None, f"has {opened} opening and {closed} closing braces", "see to its template"


def _tcplog_in_backend(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    section = ""
    for number, line in enumerate(content.splitlines(), 1):
        if words := line.split():
            section = words[0] if not line[0].isspace() else section
            if section == "backend" and words[:2] == ["option", "tcplog"]:
                yield (
                    "warning",
                    number,
                    "option tcplog has no effect in a backend",
                    "put it into defaults or the frontend",
                )


RULES: dict[str, tuple[Rule, ...]] = {
    KEEPALIVED_CONF: (
        _pidof,
        _master_with_delay,
        _own_interface,
        _script_security,
        _no_peers,
        _fractional_v2,
        _one_a_line,
        _one_family,
        _long_secret,
        _no_handover,
        _braces,
    ),
    HAPROXY_CFG: (_tcplog_in_backend, _no_socket),
}
