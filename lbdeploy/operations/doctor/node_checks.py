"""What is wrong with one node, as far as can be seen before anything is put on it. Pure.

Each judge takes a node's checkup, and yields findings that are not ok; docs/doctor.md lists what they check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network

from lbdeploy.config.model import Address, Cluster, Node, Subnet
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import DAEMONS
from lbdeploy.node.resources import Packages
from lbdeploy.node.resources.package import PackageState
from lbdeploy.operations.doctor.examination import Checkup
from lbdeploy.operations.doctor.firewall.firewall import opening, shuts_out
from lbdeploy.operations.doctor.firewall.packet_filter import Packet
from lbdeploy.planning.desired import packages
from lbdeploy.planning.preflight import preflight, unoffered

KNOWN = {"debian": ("11", "12", "13"), "ubuntu": ("22.04", "24.04", "26.04")}
SKEW_SECONDS = 2.0  # beyond this, the logs and journals of nodes can't be put in order
SKEW_LIMIT = 300.0  # beyond this, certificates and apt's lists may count as not valid yet
METRICS = "the metrics"
PEERS = "the nodes' haproxy among themselves"
EVERYWHERE = ("*", "0.0.0.0", "[::]")  # noqa: S104  as `ss` shows who listens on all addresses
_LISTENER = re.compile(r'\(\("(?P<name>[^"]*)",pid=(?P<pid>\d+)')

Judge = Callable[[Cluster, Checkup], Iterator[Finding]]


def problems(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Everything that is wrong with a node."""
    yield from preflight(cluster, checkup.observation)
    for judge in JUDGES:
        yield from judge(cluster, checkup)


def _release(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    words = (line.partition("=") for line in checkup.lines("os"))
    told = {key: value.strip("\"'") for key, _, value in words}
    if told.get("VERSION_ID") not in KNOWN.get(told.get("ID", ""), ()):
        name = told.get("PRETTY_NAME") or "a system that does not say what it is"
        fix = "lbdeploy was tried on Debian 11 to 13 and Ubuntu 22.04, 24.04 and 26.04: rehearse first"
        yield _warning(checkup, "release", f"runs {name}", fix)


def _packages(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    unknown = [
        name for name in _missing(cluster, checkup) if _state(checkup).candidates.get(name, "(none)") == "(none)"
    ]
    if not unknown:
        return
    names = ", ".join(unknown)
    if checkup.lines("lists") in ([], ["0"]):
        fix = "nothing to do: lbdeploy up fetches them first"
        yield _warning(checkup, "packages", f"apt has no package lists yet, to look for {names} in", fix)
    else:
        fix = f"apt-get update there; then see apt-cache policy {unknown[0]}, and /etc/apt/sources.list"
        yield Finding(checkup.node.name, "packages", False, f"apt knows no package {names}", fix)


def _versions(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Versions that apt does not offer; what repositories of hosts.toml offer is unknown until `up` has added them."""
    wanted = Packages(packages(cluster), pins=tuple(cluster.packages.pins.items()))
    for each in unoffered(checkup.node.name, wanted, _state(checkup)):
        yield replace(each, warning=bool(cluster.packages.repositories))


def _sources(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """A node that has all packages needs no apt source until it has to be upgraded or rebuilt: a warning."""
    for line in checkup.lines("heard"):
        if found := re.fullmatch(r"unreached (\S+) (.+)", line):
            why = found[2].removeprefix(f"Failed to fetch {found[1]}").strip()
            detail = f"can't fetch from its apt source {found[1]}: {why}"
            fix = "check its route and proxy, or correct /etc/apt/sources.list; then: apt-get update there"
            warning = not _missing(cluster, checkup)
            yield Finding(checkup.node.name, "apt-sources", False, detail, fix, warning=warning)


def _dpkg(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    if _state(checkup).interrupted:
        yield _warning(checkup, "dpkg", "dpkg was interrupted", "lbdeploy up repairs it; or there: dpkg --configure -a")


def _unattended(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """A pin to an exact version holds; within a pattern it upgrades, at a random time of the morning on each node."""
    told = [line.partition(" ")[::2] for line in checkup.lines("unattended")]
    if dict(told).get("Unattended-Upgrade", "0") in ("", "0") or dict(told).get("Enable", "1") == "0":
        return
    spared = [pattern for word, pattern in told if word == "spares"]
    pinned = [name for name, version in cluster.packages.pins.items() if "*" not in version]
    free = [name for name in DAEMONS if name not in pinned and not any(_begins(each, name) for each in spared)]
    if free:
        names = " and ".join(free)
        detail = f"unattended-upgrades may upgrade {names} on all nodes in the same night, and restarts them"
        file, lines = "/etc/apt/apt.conf.d/52lbdeploy", "".join(f'"^{name}$"; ' for name in free)
        spare = f"echo 'Unattended-Upgrade::Package-Blacklist {{ {lines}}};' > {file}"
        fix = f"give exact versions in [packages] of hosts.toml; or there: {spare}; then: lbdeploy up --upgrade"
        yield _warning(checkup, "unattended-upgrades", detail, fix)


def _begins(pattern: str, name: str) -> bool:
    try:
        return re.match(pattern, name) is not None
    except re.error:
        return False


def _lock(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    for line in checkup.lines("locks")[:1]:
        if found := re.fullmatch(r"(\S+) (\d+) ?(.*)", line):
            detail = f"{found[3] or 'somebody'} (process {found[2]}) is using apt: it holds {found[1]}"
            yield _warning(checkup, "apt-lock", detail, "wait until it has ended; lbdeploy up does so for two minutes")


def _ports(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    wanted = {(str(ip), str(port)): what for ip, port, what, _ in _listening(cluster, checkup.node)}
    told = set()
    for words in map(str.split, checkup.lines("listening")):
        host, _, port = words[3].rpartition(":") if len(words) > 3 else ("", "", "")
        who = _LISTENER.search(words[-1]) if words else None
        address = host.partition("%")[0]
        same = [what for (ip, its), what in wanted.items() if its == port and address in (ip, f"[{ip}]", *EVERYWHERE)]
        if not same:
            continue
        what = same[0]
        key = {METRICS: "metrics.port", PEERS: "haproxy.peers_port"}.get(what, f"{what.replace(' ', 's.')}.port")
        name, pid = (who["name"], who["pid"]) if who else ("somebody", "?")
        if name != "haproxy" and (port, pid) not in told:
            told.add((port, pid))
            detail = f"port {port} of {what} is in use: {name} (process {pid}) listens on {host}"
            fix = f"stop it there, or choose another port: {key} in hosts.toml"
            yield Finding(checkup.node.name, "port", False, detail, fix)


def _listening(cluster: Cluster, node: Node) -> Iterator[tuple[Address, int, str, tuple[Subnet, ...]]]:
    """Where haproxy is to listen on a node: address, port, purpose, and the networks it allows (none: everybody)."""
    for frontend in cluster.frontends:
        for vip in cluster.vips_of(frontend):
            yield vip.ip, frontend.port, f"frontend {frontend.name}", frontend.allow
    if metrics := cluster.metrics:
        yield node.addresses[metrics.network], metrics.port, METRICS, metrics.allow
    peers = tuple(ip_network(peer.addresses[cluster.vrrp.network]) for peer in cluster.peers(node))
    yield node.addresses[cluster.vrrp.network], cluster.peers_port, PEERS, peers


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
            yield _warning(checkup, "network-manager", detail, fix)


def _clock(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    ahead = checkup.ahead or 0.0
    if abs(ahead) > SKEW_SECONDS:
        detail = f"its clock is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} yours"
        fix = "find out which is right: timedatectl, on both; then keep it in sync: timedatectl set-ntp true"
        yield Finding(checkup.node.name, "clock", False, detail, fix, warning=abs(ahead) <= SKEW_LIMIT)


def _ntp(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """NTP; not checked in a container, whose clock is its host's."""
    lines = checkup.lines("ntp")
    if "NTPSynchronized=no" in lines and "container" not in lines:
        fix = "timedatectl set-ntp true there; where there is no NTP yet: apt-get install systemd-timesyncd"
        yield _warning(checkup, "ntp", "its clock is not kept by NTP", fix)


def _leftover(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    for kind, _, name in (line.partition(" ") for line in checkup.lines("leftover")):
        if kind == "file":
            detail = f"{name} is there, and not from lbdeploy: lbdeploy up replaces it"
            fix = "nothing to do: its content is kept on the node, and lbdeploy down restores it"
            yield _warning(checkup, "foreign-config", detail, fix)
        elif kind == "unit":
            detail = f"{name} runs there: it may also move addresses"
            yield _warning(
                checkup, "foreign-config", detail, f"if it has to do with the VIPs: systemctl disable --now {name}"
            )


def _shut_out(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Nothing listens on the ports before `up`, so reachability can't be tried: firewall rules are read instead."""
    told = set()
    for address, port, what, allow in _listening(cluster, checkup.node):
        for source in _clients(allow, address):
            packet = Packet("tcp", address, source, port)
            culprit = shuts_out(checkup.lines("firewall"), packet)
            if culprit and port not in told:
                told.add(port)
                who = f" from {source}" if source else ""
                detail = f"its firewall blocks clients{who} at port {port} of {what}: {culprit}"
                yield _warning(checkup, "firewall", detail, opening(culprit, packet))


def _clients(allow: Sequence[Subnet], target: Address) -> Sequence[Address | None]:
    """An address of each network that haproxy allows; None stands for any client, where it allows everybody."""
    return [each.network_address for each in allow if each.version == target.version] if allow else [None]


JUDGES: tuple[Judge, ...] = (
    _release, _packages, _versions, _sources, _dpkg, _unattended, _lock, _ports, _networkd, _clock, _ntp, _leftover,
    _shut_out,
)  # fmt: skip


def span(seconds: float) -> str:
    """A time in words."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _state(checkup: Checkup) -> PackageState:
    states = checkup.observation.states.values()
    return next((each for each in states if isinstance(each, PackageState)), PackageState({}))


def _missing(cluster: Cluster, checkup: Checkup) -> list[str]:
    """The packages that are not installed."""
    return [name for name in packages(cluster) if name not in _state(checkup).versions]


def _warning(checkup: Checkup, check: str, detail: str, fix: str) -> Finding:
    return Finding(checkup.node.name, check, False, detail, fix, warning=True)
