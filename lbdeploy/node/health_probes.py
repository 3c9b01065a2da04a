"""The probes of a node's health, part of every observation: shell text whose output `parsers` reads."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain

from lbdeploy.common.debian import APT_CACHE, DPKG_FOLDER, SYSCTL_FOLDER
from lbdeploy.common.shell import Command, Raw, cmd, here
from lbdeploy.config.model import Address, Cluster, Node, frontend_socket
from lbdeploy.node import keepalived_state, tls_hello
from lbdeploy.node.apt import PRESENT
from lbdeploy.node.paths import HAPROXY_SOCKET, HOSTS, NOTIFY_RESULT, STATE, proc_path
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources.sysctl import NONLOCAL_BIND
from lbdeploy.node.vrrp_priority import HANDOVER, OF_GROUP

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10  # of the nodes' Linux: the laptop's may have other numbers
ANSWER_SECONDS = 2  # how long a VIP, haproxy's socket or the health check may take to answer

NEIGHBOUR_SECONDS = 0.2  # how long a host on the same network may take to answer for an address

FOLDERS = (
    "/etc/haproxy",
    "/etc/keepalived",
    SYSCTL_FOLDER,
    STATE,
    DPKG_FOLDER,
    "/run",
)  # the folders that lbdeploy writes to
ROUTED = "routed:"  # prefix in `lacks`, before the address of a peer that is reached through a router
NO_IPV6 = "no-ipv6:"  # prefix in `lacks`, before an interface that is to carry an IPv6 VIP and can't
INSTALLED_IN = ("/usr", APT_CACHE)  # where packages need space


def health(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """The probes of a node's health, by name."""
    return {
        **({"vrrp": keepalived_state.PROBE} if cluster.vrrp.tracks or cluster.vrrp.told else {}),
        "now": cmd("echo", Raw('"$now"')),  # see observe.sh
        "hosts": cmd("cat", HOSTS),
        "apt": PRESENT,
        "ip a": cmd("ip", "a"),
        "show stat": show_stat(),
        "vips": _answers(cluster),
        "neighbours": _neighbours(cluster),
        **handovers(cluster),
        "room": Raw(
            f'for folder in {cmd(*FOLDERS, *INSTALLED_IN)}; do [ ! -d $folder ] || set -- "$@" $folder; done\n'
            'df -k --output=avail,iavail,file "$@"'
        ),
        "lacks": _lacks(cluster, node),
        **_metrics(cluster, node),
        **({"told": cmd("cat", NOTIFY_RESULT)} if cluster.vrrp.told else {}),
    }


def handovers(cluster: Cluster) -> dict[str, Raw]:
    """Print the number in each file for handovers, and since when it is there: the node's, and one for each group."""
    files = {"handover": HANDOVER, **{f"handover {each.name}": OF_GROUP + each.name for each in cluster.vrrp.groups}}
    return {name: Raw(f"read -r number < {file} && echo $number $(stat -c %.Y {file})") for name, file in files.items()}


def show_stat() -> Raw:
    """Ask haproxy for its view of frontends and servers; nothing is printed of an answer that takes too long.

    perl, since timeout and socat take twice as long to start: 4 ms of the node's.
    """
    return cmd("perl", "-e", here(_SHOW_STAT), ANSWER_SECONDS, AF_UNIX, HAPROXY_SOCKET)


def nonlocal_bind(cluster: Cluster) -> list[str]:
    """The kernel settings that let haproxy bind to VIPs held elsewhere: one per family."""
    return [NONLOCAL_BIND[version] for version in sorted({vip.ip.version for vip in cluster.vips})]


def _lacks(cluster: Cluster, node: Node) -> Raw:
    """Print the checks that the node does not pass, of those that need no program to run."""
    of_ipv6 = dict.fromkeys(node.interfaces[vip.network] for vip in cluster.vips if vip.ip.version == 6)
    settings = map(proc_path, nonlocal_bind(cluster))
    peers = [each.addresses[cluster.vrrp.network] for each in cluster.peers(node)]
    return Raw(_LACKS.format(settings=cmd(*settings), links=cmd(*of_ipv6), peers=cmd(*peers)))


def _answers(cluster: Cluster) -> Raw:
    """Probe each frontend on its VIPs, in parallel, and print a line for each: address, port, first byte of an answer.

    haproxy accepts a connection even where no server is up, and then closes it: only an answer proves a server. So a
    TLS ClientHello is sent, which a TLS server answers, and which others answer with an error of their own.
    """
    pairs = [(vip, frontend) for vip in cluster.vips for frontend in cluster.frontends]
    there = [(vip, frontend.port) for vip, frontend in pairs if vip in cluster.vips_of(frontend)]
    servers = [(f"{vip.ip} {port}", *internet(vip.ip, port)) for vip, port in there]
    # A node that holds no VIP can't be probed through one; through a local socket of its haproxy, it can.
    own = [(f"own {each.name}", *local(frontend_socket(each.name))) for each in cluster.frontends]
    # Where keepalived does not run there is no VIP to probe yet, and probing would only wait for the timeout.
    return Raw(f"{_RUNNING} || exit 0\n{greet([*servers, *own])}")


def greet(servers: Iterable[tuple[str, int, str]]) -> Command:
    """Greet servers, each given as what is printed of it before the first byte of its answer, and its address."""
    words = chain.from_iterable(servers)
    return cmd("perl", "-e", here(remote_text("greet.pl")), ANSWER_SECONDS, tls_hello.client_hello().hex(), *words)


def internet(ip: Address, port: int) -> tuple[int, str]:
    """A server's address family, and what follows it in a sockaddr (ip(7), ipv6(7)), in hexadecimal."""
    if ip.version == 4:
        return AF_INET, struct.pack(">H4s8x", port, ip.packed).hex()
    return AF_INET6, struct.pack(">HI16sI", port, 0, ip.packed, 0).hex()


def local(path: str) -> tuple[int, str]:
    """The same of a local socket (unix(7))."""
    return AF_UNIX, path.encode().hex()


def _metrics(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """Ask haproxy for its metrics, if hosts.toml wants any: prints the address, and the status line of the answer."""
    if not cluster.metrics:
        return {}
    address, port = node.addresses[cluster.metrics.network], cluster.metrics.port
    ask = f"timeout {ANSWER_SECONDS} bash -c {here(_SCRAPE)} bash {address} {port}"
    return {"metrics": Raw(f"echo {address} port {port}\n{ask}")}


def _neighbours(cluster: Cluster) -> Raw:
    """Which hosts answer for the VIPs on the wire before our keepalived runs: a datagram makes the kernel ask.

    The kernel's old neighbour entries are flushed first: a host that is gone would seem present for another minute.
    Where keepalived runs, nothing is asked: a VIP that the node does not hold is its peer's.
    """
    vips = cmd(*(vip.ip for vip in cluster.vips))
    ask = "ip neigh flush to $vip; bash -c 'echo > \"/dev/udp/$1/9\"' bash $vip &"
    asked = f"for vip in {vips}; do {ask} done; sleep {NEIGHBOUR_SECONDS}"
    return Raw(f"{_RUNNING} && exit 0\n{asked}\nfor vip in {vips}; do ip neigh show to $vip; done")


_LACKS = f"""\
[ -d /run/systemd/system ] || echo systemd
for setting in {{settings}}; do [ -w $setting ] || echo nonlocal-bind; done
for link in {{links}}; do
    [ "$(cat "/proc/sys/net/ipv6/conf/$link/disable_ipv6")" = 0 ] || echo "{NO_IPV6}$link"
done
for peer in {{peers}}; do
    case $(ip route get $peer) in *" via "*) echo "{ROUTED}$peer" ;; esac
done"""

_RUNNING = "{ [ -e /run/keepalived.pid ] || [ -e /run/keepalived/keepalived.pid ]; }"

# SOCK_STREAM is 1. Its alarm ends perl.
_SHOW_STAT = """\
my ($seconds, $family, $path) = @ARGV;
alarm $seconds;
socket(my $haproxy, $family, 1, 0) or exit 1;
connect($haproxy, pack("S a*", $family, $path)) or exit 1;
syswrite $haproxy, "show stat\\n";
my @answer = <$haproxy>;
alarm 0;
print @answer;
"""

_SCRAPE = """\
exec 3<>"/dev/tcp/$1/$2" || exit
printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3
read -r -u3 status && echo "$status"
"""
