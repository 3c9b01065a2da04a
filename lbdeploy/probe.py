"""Observing a node in one round trip: the probes of all its resources, and of its health, joined into one script."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lbdeploy import hello, keepalived
from lbdeploy.errors import RemoteError
from lbdeploy.health import (
    Answered,
    Link,
    Neighbour,
    Room,
    ServerStat,
    parse_answered,
    parse_greeted,
    parse_ip_a,
    parse_neighbours,
    parse_room,
    parse_show_stat,
)
from lbdeploy.model import Cluster, Node, frontend_socket
from lbdeploy.resource import Answer, Resource
from lbdeploy.resources import File, Journal, Service
from lbdeploy.resources.service import ServiceState
from lbdeploy.shell import Raw, cmd, here, remote_text
from lbdeploy.vrrp import HANDOVER, effective

FAULT_STATE = "FAULT"

ANSWER_SECONDS = 2  # how long a VIP, haproxy's socket or the health check may take to answer

NEIGHBOUR_SECONDS = 0.2  # how long a host on the same network may take to answer for an address

FOLDERS = (
    "/etc/haproxy",
    "/etc/keepalived",
    "/etc/sysctl.d",
    "/var/lib/lbdeploy",
    "/var/lib/dpkg",
    "/run",
)  # written to
NO_IPV6 = "no-ipv6:"  # prefix in `lacks`, before an interface that is to carry an IPv6 VIP and can't
INSTALLED_IN = ("/usr", "/var/cache/apt")  # where packages need space
LAST_HOSTS = "/var/lib/lbdeploy/hosts.toml"  # what the files of the last run were made from
HAPROXY = "UNIX-CONNECT:/run/haproxy/admin.sock"
PRELUDE = "LC_ALL=C\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport LC_ALL PATH\n"


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of a node at one moment. `states` are by resource id; `now` is the node's clock (s, Unix).

    `lacks` are checks that it does not pass, of those that need no program to run. `own` says for each frontend
    whether anything behind it answers through this node's own haproxy, VIPs or not. `priority_offset` is what a
    handover adds to the node's priority, and `offset_since` the time (s, Unix) since when. `said` is what keepalived
    reports; it is asked only where the cluster tracks more than haproxy. `metrics`: where haproxy should serve its
    metrics, and whether it does.
    """

    node: Node
    now: float
    states: Mapping[str, Any]
    links: tuple[Link, ...] = ()
    servers: tuple[ServerStat, ...] = ()
    haproxy_answers: bool = False
    answered: tuple[Answered, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    apt: bool = True
    own: Mapping[str, bool] = field(default_factory=dict)
    room: tuple[Room, ...] = ()
    lacks: frozenset[str] = frozenset()
    priority_offset: int = 0
    offset_since: float = 0.0
    said: keepalived.Vrrp = field(default_factory=keepalived.Vrrp)
    marks: Mapping[str, Answer] = field(default_factory=dict)
    metrics: tuple[str, bool] | None = None

    def service(self, unit: str) -> ServiceState:
        """The state of a service; one that was not observed counts as not installed."""
        state = self.states.get(f"service {unit}")
        return state if isinstance(state, ServiceState) else ServiceState()

    @property
    def priority(self) -> int:
        """The priority that keepalived uses while its check of haproxy succeeds."""
        return effective(self.node.priority, self.priority_offset + self.tracked)

    @property
    def tracked(self) -> int:
        """What the operator's own files and scripts add to the priority, as far as keepalived has reported it."""
        if self.said.priority is None or self.said.state == FAULT_STATE:
            return 0
        return self.said.priority - effective(self.node.priority, self.priority_offset)

    def doubt(self, ip: object) -> str:
        """Why an address that the node has can't be used, as the kernel's flag; "" where it can."""
        return next((why for link in self.links for address, why in link.doubtful.items() if address == ip), "")

    def holds(self, ip: object) -> list[str]:
        """The interfaces on which this node has the address."""
        return [link.name for link in self.links for address in link.addresses if address.ip == ip]

    def holds_any(self, cluster: Cluster) -> bool:
        """Whether this node has any of the cluster's VIPs."""
        return any(self.holds(vip.ip) for vip in cluster.vips)

    def holds_all(self, cluster: Cluster) -> bool:
        """Whether this node has all of the cluster's VIPs."""
        return all(self.holds(vip.ip) for vip in cluster.vips)


class Joined:
    """The probes of a node's `resources`, and `more` by name, joined into one script, and the reader of its output."""

    def __init__(self, node: Node, resources: Sequence[Resource[Any]], more: Mapping[str, Raw]) -> None:
        self.node = node
        self.resources = resources
        self.probes = {resource.id: resource.probe() for resource in resources} | dict(more)
        self.nonce = secrets.token_hex(8)  # so that no file content can be mistaken for a mark

    def script(self) -> str:
        """POSIX sh, to be run as root; it changes nothing."""
        return self.head() + "".join(self.sections())

    def head(self) -> str:
        """What comes before all probes: look.sh, which asks once for what several resources' probes need."""
        units = [f"{each.unit}.service" for each in self.resources if isinstance(each, Service | Journal)]
        files = [each.path for each in self.resources if isinstance(each, File)]
        given = f"units={here(' '.join(units))}\nfiles={here(' '.join(files))}\n"
        return f"{PRELUDE}{given}{remote_text('look.sh')}"

    def sections(self) -> list[str]:
        """The script, probe by probe."""
        return [
            f"echo {self.nonce} begin {index}\n"
            f"(\n{probe}\n) 2>/dev/null </dev/null\n"
            f"printf '\\n%s end %d\\n' {self.nonce} $?\n"
            for index, probe in enumerate(self.probes.values())
        ]

    def answers(self, output: str) -> dict[str, Answer]:
        """What each probe answered. Raises RemoteError where the output is incomplete."""
        found = re.findall(
            rf"^{self.nonce} begin (\d+)\n(.*?)\n{self.nonce} end (\d+)$", output, re.DOTALL | re.MULTILINE
        )
        answers = [Answer(text, int(status)) for _, text, status in found]
        if len(answers) != len(self.probes):
            raise RemoteError(
                "the observing script did not run to its end",
                node=self.node.name,
                state="looking changes nothing",
                fix="lbdeploy -v plan shows what the node said instead",
                detail=output,
            )
        return dict(zip(self.probes, answers, strict=True))


class Probe(Joined):
    """The observing script for one node, and the reader of what it prints."""

    def __init__(self, cluster: Cluster, node: Node, resources: Sequence[Resource[Any]]) -> None:
        super().__init__(node, resources, health(cluster) | {"lacks": _lacks(cluster, node)} | _metrics(cluster, node))
        self.instance = cluster.instance

    def read(self, output: str) -> Observation:
        """The observation from the script's output. Raises RemoteError where the output is incomplete."""
        marks = self.answers(output)
        offset, since = tracked_file(marks["handover"].output)
        return Observation(
            node=self.node,
            now=float(marks["now"].output or 0),
            states={resource.id: resource.read(marks[resource.id]) for resource in self.resources},
            links=parse_ip_a(marks["ip a"].output),
            servers=parse_show_stat(marks["show stat"].output),
            haproxy_answers=marks["show stat"].output.startswith("# "),
            answered=parse_answered(marks["vips"].output),
            neighbours=parse_neighbours(marks["neighbours"].output),
            apt=marks["apt"].status == 0,
            own=parse_greeted(marks["vips"].output),
            room=parse_room(marks["room"].output),
            lacks=frozenset(marks["lacks"].output.split()),
            priority_offset=offset,
            offset_since=since,
            said=keepalived.parse_vrrp(marks["vrrp"].output, self.instance) if "vrrp" in marks else keepalived.Vrrp(),
            marks=marks,
            metrics=_told_metrics(marks.get("metrics")),
        )


def tracked_file(text: str) -> tuple[int, float]:
    """The number that keepalived reads from the handover file, 0 if none; and since when it is there (s, Unix)."""
    found = re.fullmatch(r"(-?[0-9]{1,6}) ([0-9]+[.,]?[0-9]*)", text.strip())
    return (int(found[1]), float(found[2].replace(",", "."))) if found else (0, 0.0)


def health(cluster: Cluster) -> dict[str, Raw]:
    """The probes of a node's health, by name."""
    return {
        **({"vrrp": keepalived.PROBE} if cluster.vrrp.tracks else {}),
        "now": Raw("date +%s.%N"),
        "hosts": Raw(f"cat {LAST_HOSTS}"),
        "apt": Raw("command -v apt-get"),
        "ip a": Raw("ip a"),
        "show stat": Raw(f"echo 'show stat' | timeout {ANSWER_SECONDS} socat -t {ANSWER_SECONDS} - {HAPROXY}"),
        "vips": _answers(cluster),
        "neighbours": _neighbours(cluster),
        "handover": Raw(f"read -r number < {HANDOVER} && echo $number $(stat -c %.Y {HANDOVER})"),
        "room": Raw(
            f'for folder in {cmd(*FOLDERS, *INSTALLED_IN)}; do [ ! -d $folder ] || set -- "$@" $folder; done\n'
            'df -k --output=avail,iavail,file "$@"'
        ),
    }


def nonlocal_bind(cluster: Cluster) -> list[str]:
    """The kernel settings, below /proc/sys/net, that let haproxy bind to VIPs held elsewhere: one per family."""
    return [f"ipv{version}/ip_nonlocal_bind" for version in sorted({vip.ip.version for vip in cluster.vips})]


def _lacks(cluster: Cluster, node: Node) -> Raw:
    """Print the checks that the node does not pass, of those that need no program to run."""
    of_ipv6 = dict.fromkeys(node.interfaces[vip.network] for vip in cluster.vips if vip.ip.version == 6)
    return Raw(_LACKS.format(settings=cmd(*nonlocal_bind(cluster)), links=cmd(*of_ipv6)))


def _answers(cluster: Cluster) -> Raw:
    """Probe each frontend on its VIPs, in parallel, and print a line for each: address, port, first byte of the answer.

    haproxy accepts a connection even where no server is up, and then closes it: only an answer proves a server. So a
    TLS ClientHello is sent, which a TLS server answers, and which others answer with an error of their own.
    """
    pairs = [(vip, frontend) for vip in cluster.vips for frontend in cluster.frontends]
    there = [(vip, frontend) for vip, frontend in pairs if vip in cluster.vips_of(frontend)]
    asks = "\n".join(f"ask {vip.ip} {frontend.port} &" for vip, frontend in there)
    asks += "".join(f"\nown {frontend.name} {frontend_socket(frontend.name)} &" for frontend in cluster.frontends)
    # Where keepalived does not run there is no VIP to probe yet, and probing would only wait for the timeout.
    answer = f'$(timeout {ANSWER_SECONDS} bash -c {here(_GREET)} bash "$1" "$2")'
    ask = f'ask() {{ printf "%s %s %s\\n" "$1" "$2" "{answer}"; }}'
    return Raw(f"{_RUNNING} || exit 0\n{ask}\n{_OWN}\n{asks}\nwait")


def _metrics(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """Ask haproxy for its metrics, if hosts.toml wants any: prints the address, and the status line of the answer."""
    if not cluster.metrics:
        return {}
    address, port = node.addresses[cluster.metrics.network], cluster.metrics.port
    ask = f"timeout {ANSWER_SECONDS} bash -c {here(_SCRAPE)} bash {address} {port}"
    return {"metrics": Raw(f"echo {address} port {port}\n{ask}")}


def _told_metrics(answer: Answer | None) -> tuple[str, bool] | None:
    if answer is None:
        return None
    place, _, status = answer.output.partition("\n")
    return place, bool(re.match(r"HTTP/1\.[01] 200 ", status))


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
for setting in {{settings}}; do [ -w /proc/sys/net/$setting ] || echo nonlocal-bind; done
for link in {{links}}; do
    [ "$(cat "/proc/sys/net/ipv6/conf/$link/disable_ipv6")" = 0 ] || echo "{NO_IPV6}$link"
done"""

_RUNNING = "{ [ -e /run/keepalived.pid ] || [ -e /run/keepalived/keepalived.pid ]; }"

# The same through a local socket of this node's haproxy: a node that holds no VIP can't be probed through one. The
# sending side is closed after the greeting, so a server that has answered has nothing to wait for.
_OWN = f"""own() {{
    [ -S "$2" ] || return
    byte=$(printf '{hello.escaped()}' | timeout {ANSWER_SECONDS} socat -t {ANSWER_SECONDS} - "UNIX-CONNECT:$2" |
        od -An -tx1 -N1)
    printf 'own %s %s\\n' "$1" "$byte"
}}"""

# For bash, whose /dev/tcp needs no program that a minimal node may lack.
_GREET = f"""\
exec 3<>"/dev/tcp/$1/$2" || exit
printf '{hello.escaped()}' >&3
read -r -N 1 -u 3 byte || exit
printf %02x "'$byte"
"""

_SCRAPE = """\
exec 3<>"/dev/tcp/$1/$2" || exit
printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3
read -r -u 3 status && echo "$status"
"""
