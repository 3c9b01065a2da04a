"""What is wrong with a node's system: ports, network, clock, what other tools put there, firewall. Pure.

Each judge takes a node's checkup, and yields findings that are not ok; what it asks the node is in `probes`. The
checklist has what it checks, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.config.model import Address, Cluster, Node, Subnet
from lbdeploy.errors import key_text
from lbdeploy.health.finding import Finding
from lbdeploy.node.apt import shipped
from lbdeploy.node.paths import JOURNAL
from lbdeploy.operations.doctor.checkup import Checkup, Judge
from lbdeploy.operations.doctor.firewall import firewall
from lbdeploy.operations.doctor.firewall.firewall import opening, shuts_out
from lbdeploy.operations.doctor.firewall.packet_filter import Packet
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF
from lbdeploy.planning.validators import HAPROXY_PIDS

SKEW_SECONDS = 2.0  # beyond this, the logs and journals of nodes can't be put in order
SKEW_LIMIT = 300.0  # beyond this, certificates and apt's lists may count as not valid yet
MANAGERS = ("corosync", "pacemaker", "heartbeat", "ucarp", "vrrpd")  # programs other than keepalived that manage VIPs
_LISTENER = re.compile(r'\(\("(?P<name>[^"]*)",pid=(?P<pid>\d+)')


def probes(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """What these checks ask a node, by name."""
    carriers = dict.fromkeys(node.interfaces[vip.network] for vip in cluster.vips)
    return {
        "listening": Raw("ss -Hltnp"),
        "haproxy-pids": HAPROXY_PIDS,
        "networkd": Raw(_NETWORKD.format(interfaces=cmd(*carriers))),
        "ntp": Raw("systemd-detect-virt -cq && echo container\ntimeout 5 timedatectl show -p NTPSynchronized"),
        "leftover": Raw(
            _LEFTOVER.format(
                shipped=shipped("haproxy", "$file"),
                journal=JOURNAL,
                files=cmd(KEEPALIVED_CONF, HAPROXY_CFG),
                units=cmd(*MANAGERS),
            )
        ),
        "firewall": Raw(firewall.PROBE),
    }


@dataclass(frozen=True, slots=True)
class Listener:
    """Where haproxy is to listen on a node, what for, by which key of hosts.toml, and who may connect (none: all)."""

    address: Address
    port: int
    what: str
    key: str
    allow: tuple[Subnet, ...]


def _listeners(cluster: Cluster, node: Node) -> Iterator[Listener]:
    for each in cluster.frontends:
        for vip in cluster.vips_of(each):
            key = key_text("frontends", each.name, "port")
            yield Listener(vip.ip, each.port, f"frontend {each.name}", key, each.allow)
    if metrics := cluster.metrics:
        address = node.addresses[metrics.network]
        yield Listener(address, metrics.port, "the metrics", "metrics.port", metrics.allow)
    peers = tuple(ip_network(peer.addresses[cluster.vrrp.network]) for peer in cluster.peers(node))
    own, what = node.addresses[cluster.vrrp.network], "the nodes' haproxy among themselves"
    yield Listener(own, cluster.peers_port, what, "haproxy.peers_port", peers)
    yield Listener(own, cluster.status_port, what, "haproxy.status_port", peers)


def _ports(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    wanted = list(_listeners(cluster, checkup.node))
    reported, own = set(), checkup.lines("haproxy-pids")
    for words in map(str.split, checkup.lines("listening")):
        host, _, port = words[3].rpartition(":") if len(words) > 3 else ("", "", "")
        who = _LISTENER.search(words[-1]) if words else None
        same = [each for each in wanted if str(each.port) == port and takes(host, each.address)]
        name, pid = (who["name"], who["pid"]) if who else ("somebody", "?")
        if same and pid not in own and (port, pid) not in reported:
            reported.add((port, pid))
            detail = f"port {port} of {same[0].what} is in use: {name} (process {pid}) listens on {host}"
            fix = f"stop it there, or choose another port: {same[0].key} in hosts.toml"
            yield Finding.failed(checkup.node.name, "port", detail, fix, subject=port)


def takes(host: str, address: Address) -> bool:
    """Whether who listens on a host, as `ss` shows it, has this address of the node; up's validator has the same rule.

    "*" is of both families, "0.0.0.0" of IPv4 and "[::]" of IPv6 alone, "[::ffff:192.0.2.1]" is an address of IPv4.
    """
    bare = host.partition("%")[0]
    if bare == "*":
        return True
    try:
        own = ip_address(bare.strip("[]"))
    except ValueError:
        return False
    mapped = own.ipv4_mapped if own.version == 6 else None
    there = mapped or own
    return there == address or (there.is_unspecified and there.version == address.version)


def _networkd(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    for words in map(str.split, checkup.lines("networkd")):
        if len(words) == 3 and words[2] not in ("yes", "static", "true", "1", "on"):
            interface, file, _ = words
            drop_in = f"/etc/systemd/network/{file.rpartition('/')[2]}.d"
            detail = f"systemd-networkd takes VIPs off {interface} as it restarts: {file} does not tell it to keep them"
            fix = (
                f"mkdir -p {drop_in}; printf '[Network]\\nKeepConfiguration=static\\n' > {drop_in}/keep.conf; "
                "networkctl reload"
            )
            yield Finding.warning(checkup.node.name, "network-manager", detail, fix, subject=interface)


def _clock(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    ahead = checkup.ahead or 0.0
    if abs(ahead) > SKEW_SECONDS:
        detail = f"its clock is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} yours"
        fix = "find out which is right: timedatectl, on both; then keep it in sync: timedatectl set-ntp true"
        found = Finding.failed(checkup.node.name, "clock", detail, fix)
        yield found.as_warning() if abs(ahead) <= SKEW_LIMIT else found


def _ntp(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """NTP; not checked in a container, whose clock is its host's."""
    lines = checkup.lines("ntp")
    if "NTPSynchronized=no" in lines and "container" not in lines:
        fix = "timedatectl set-ntp true there; where there is no NTP yet: apt-get install systemd-timesyncd"
        yield Finding.warning(checkup.node.name, "ntp", "its clock is not kept by NTP", fix)


def _leftover(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    for kind, _, name in (line.partition(" ") for line in checkup.lines("leftover")):
        if kind == "file":
            detail = f"{name} is there, and not from lbdeploy: lbdeploy up replaces it"
            fix = "nothing to do: its content is kept on the node, and lbdeploy down restores it"
            yield Finding.warning(checkup.node.name, "foreign-config", detail, fix, subject=name)
        elif kind == "unit":
            detail = f"{name} runs there: it may also move addresses"
            fix = f"if it has to do with the VIPs: systemctl disable --now {name}"
            yield Finding.warning(checkup.node.name, "foreign-config", detail, fix, subject=name)


def _shut_out(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Nothing listens on the ports before `up`, so reachability can't be tried: firewall rules are read instead."""
    reported = set()
    for each in _listeners(cluster, checkup.node):
        for source in _clients(each):
            packet = Packet("tcp", each.address, source, each.port)
            culprit = shuts_out(checkup.lines("firewall"), packet)
            if culprit and each.port not in reported:
                reported.add(each.port)
                who, fix = f" from {source}" if source else "", opening(culprit, packet)
                detail = f"its firewall blocks clients{who} at port {each.port} of {each.what}: {culprit}"
                yield Finding.warning(checkup.node.name, "firewall", detail, fix, subject=str(each.port))


def _clients(listener: Listener) -> Sequence[Address | None]:
    """An address of each network that haproxy allows; None stands for any client, where it allows everybody."""
    version = listener.address.version
    return [each.network_address for each in listener.allow if each.version == version] if listener.allow else [None]


JUDGES: tuple[Judge, ...] = (_ports, _networkd, _clock, _ntp, _leftover, _shut_out)


def span(seconds: float) -> str:
    """A time as text, such as "3.0 s" or "2 minutes"."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


# For each interface that has a .network file: that file, and its setting for addresses that networkd did not add.
_NETWORKD = """\
systemctl -q is-active systemd-networkd || exit 0
for link in {interfaces}; do
    file=$(networkctl --no-pager status $link | sed -n 's/^ *Network File: *//p')
    case $file in /*) ;; *) continue ;; esac
    name=${{file##*/}}
    keep=$(cat "$file" /usr/lib/systemd/network/"$name".d/*.conf /run/systemd/network/"$name".d/*.conf \\
        /etc/systemd/network/"$name".d/*.conf | sed -n 's/^ *KeepConfiguration *= *//p' | tail -n 1)
    printf '%s %s %s\\n' $link "$file" "${{keep:-no}}"
done"""

# Configuration on a node that lbdeploy has never changed, unless it is the package's unmodified file.
_LEFTOVER = """\
for unit in {units}; do ! systemctl -q is-active $unit || echo "unit $unit"; done
[ ! -e {journal} ] || exit 0
for file in {files}; do
    [ -s $file ] && ! head -n 1 $file | grep -q 'Written by lbdeploy' || continue
    shipped=$({shipped})
    [ "$shipped" = "$(md5sum < $file | cut -d ' ' -f 1)" ] || echo "file $file"
done"""
