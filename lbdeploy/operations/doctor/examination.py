"""Looking at a node for `lbdeploy doctor`: all probes, and listening to its networks, in one script."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.config.model import Cluster, Node
from lbdeploy.health.placement import DAEMONS
from lbdeploy.node import network_listener
from lbdeploy.node.observation import NodeProbeScript, Observation
from lbdeploy.node.parsers import Neighbour
from lbdeploy.node.resources import Journal, Packages, Service
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.last_run import JOURNAL
from lbdeploy.operations.doctor.firewall import firewall
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, packages

LOCKS = (
    "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock",
)  # fmt: skip
FETCH_SECONDS = 8  # how long an apt source may take to answer
MANAGERS = ("corosync", "pacemaker", "heartbeat", "ucarp", "vrrpd")  # programs other than keepalived that manage VIPs


@dataclass(frozen=True, slots=True)
class Checkup:
    """A node as it was found. `ahead`: seconds by which its clock is ahead of this machine's, None if unknown.

    The answers to this module's own probes are in the observation's marks, by name.
    """

    observation: Observation
    wire: network_listener.Heard
    ahead: float | None = None

    @property
    def node(self) -> Node:
        return self.observation.node

    def lines(self, mark: str) -> list[str]:
        """What a probe printed."""
        answer = self.observation.marks.get(mark)
        return answer.output.splitlines() if answer else []


class Examination(NodeProbeScript):
    """The script for one node, and the reader of what it prints."""

    def __init__(self, cluster: Cluster, node: Node, clock: Callable[[], float] = time.time) -> None:
        resources: list[Resource[Any]] = [
            Journal(),
            Packages(packages(cluster), upgrade=True, pins=tuple(cluster.packages.pins.items())),
            *(Service(name) for name in DAEMONS),
        ]
        super().__init__(cluster, node, resources)
        self.cluster = cluster
        # Asking the kernel about VIPs is for runs that have no time to listen: find-address-owner.pl asks here.
        others = {name: probe for name, probe in self.probes.items() if name != "neighbours"}
        asked = {"neighbours": Raw(":")} | probes(cluster, node)
        self.probes = {"clock": Raw("date +%s.%N")} | others | asked | {"heard": Raw("printf '%s\\n' \"$heard\"")}
        self._clock = clock
        self._ahead: float | None = None

    def script(self) -> str:
        """POSIX sh, to be run as root. The slow parts run in the background while the probes run."""
        *looking, heard = self.sections()
        long = "".join(f"{{\n{each}\n}} 2>/dev/null </dev/null &\n" for each in beside(self.cluster, self.node))
        return f"{self.head()}exec 3>&1\nheard=$(\n{long}{{\n{''.join(looking)}}} >&3\nwait\n)\n{heard}"

    def on_line(self, line: str) -> None:
        """Takes each line as it arrives: the first that is a time is the node's current time."""
        if self._ahead is None and re.fullmatch(r"\d{9,11}\.\d{9}", line):
            self._ahead = float(line) - self._clock()

    def checkup(self, output: str) -> Checkup:
        """The checkup from the script's output. Raises RemoteError where the output is incomplete."""
        seen = self.read(output)
        heard = network_listener.read(seen.marks["heard"].output)
        neighbours = tuple(Neighbour(claim.ip, claim.mac) for claim in heard.claims)
        return Checkup(replace(seen, neighbours=neighbours), heard, self._ahead)


def probes(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """The probes that only doctor runs, by name."""
    carriers = dict.fromkeys(node.interfaces[vip.network] for vip in cluster.vips)
    return {
        "os": Raw("cat /etc/os-release"),
        "lists": Raw("ls /var/lib/apt/lists | grep -c _"),
        "unattended": Raw(_UNATTENDED),
        "locks": Raw(_LOCKED.format(locks=cmd(*LOCKS))),
        "listening": Raw("ss -Hltnp"),
        "networkd": Raw(_NETWORKD.format(interfaces=cmd(*carriers))),
        "ntp": Raw("systemd-detect-virt -cq && echo container\ntimeout 5 timedatectl show -p NTPSynchronized"),
        "leftover": Raw(
            _LEFTOVER.format(journal=JOURNAL, files=cmd(KEEPALIVED_CONF, HAPROXY_CFG), units=cmd(*MANAGERS))
        ),
        "firewall": Raw(firewall.PROBE),
    }


def beside(cluster: Cluster, node: Node) -> list[Raw]:
    """What runs in the background, since it is slow: listening, and fetching from the apt sources."""
    return [*network_listener.programs(cluster, node), Raw(_SOURCES.format(seconds=FETCH_SECONDS))]


# Whether it would run: the conditions of its own timer and script. Its blacklist has patterns for Python's `re.match`.
_UNATTENDED = """\
command -v unattended-upgrade > /dev/null && systemctl -q is-enabled apt-daily-upgrade.timer || exit 0
apt-config dump | sed -n 's/^APT::Periodic::\\(Enable\\|Unattended-Upgrade\\) "\\(.*\\)";$/\\1 \\2/p
    s/^Unattended-Upgrade::Package-Blacklist:: "\\(.*\\)";$/spares \\1/p'"""

# /proc/locks names the holder's process and the file's inode; each line: "1: POSIX ADVISORY WRITE 42 fe:00:1234 0 EOF".
_LOCKED = """\
for lock in {locks}; do
    [ -e $lock ] || continue
    inode=$(stat -c %i $lock)
    pid=$(awk -v inode=":$inode\\$" '$2 != "->" && $6 ~ inode {{print $5; exit}}' /proc/locks)
    [ -z "$pid" ] || printf '%s %s %s\\n' $lock $pid "$(cat /proc/$pid/comm)"
done"""

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
    shipped=$(dpkg-query -W -f '${{Conffiles}}\\n' haproxy | awk -v file=$file '$1 == file {{print $2}}')
    [ "$shipped" = "$(md5sum < $file | cut -d ' ' -f 1)" ] || echo "file $file"
done"""

# apt's own helper fetches from each source the file that `apt-get update` would fetch first, into a folder that is
# removed afterwards. Sources with a password in their URL are left out: it would be visible in the process list.
_SOURCES = """\
scratch=$(mktemp -d -p /run lbdeploy-doctor.XXXXXX) || exit 0
trap 'rm -rf "$scratch"' EXIT
fetch() {{
    case $1 in
        file:* | copy:*)
            path=${{1#*:}}
            [ -d "${{path%/*}}" ] || printf 'unreached %s there is no such folder\\n' "$1"
            return ;;
    esac
    said=$(timeout {seconds} /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=5 \\
        -o Acquire::https::Timeout=5 download-file "$1" "$scratch/$2" 2>&1) && return
    case $said in *' 404 '*) return ;; esac
    why=$(printf '%s\\n' "$said" | sed -n 's/^E: *//p' | head -n 1)
    printf 'unreached %s %s\\n' "$1" "${{why:-no answer}}"
}}
number=0
for uri in $(apt-get --print-uris update | sed -n "s/^'\\([^'@]*InRelease\\)' .*/\\1/p" | sort -u | head -n 20); do
    number=$((number + 1))
    fetch "$uri" $number &
done
wait"""
