"""What `lbdeploy doctor` asks a node besides what every command looks at: one script, which changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from ipaddress import ip_address
from math import ceil

from lbdeploy.desired import PACKAGES
from lbdeploy.keepalived import PROBE
from lbdeploy.model import Address, Cluster, Node
from lbdeploy.probe import Joined
from lbdeploy.shell import Raw, cmd

INTERVALS = 3  # for so many advert intervals the wire is listened to: a master is silent for none of them


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens on a TCP port: host "" means every address."""

    host: str
    port: int
    who: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What a node answered. `heard`: (virtual router ID, source) of adverts on the wire.

    `managed`: the interfaces that systemd-networkd configures, `keeps`: its KeepConfiguration= lines. `adverts`: what
    keepalived has sent and received, None where it does not say. `clock`: the node's, when it was asked (s, Unix).
    """

    release: tuple[str, str, str] = ("", "", "")
    clock: float = 0.0
    synchronised: bool = True
    dpkg_lock: str = ""
    candidates: Mapping[str, str] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    rules: str = ""
    managed: frozenset[str] = frozenset()
    keeps: tuple[str, ...] = ()
    adverts: tuple[int, int] | None = None
    heard: frozenset[tuple[int, Address]] = frozenset()


class Examination(Joined):
    """The script for one node, and the reader of what it prints."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        seconds = ceil(INTERVALS * cluster.vrrp.advert_interval) + 1
        perl = resources.files("lbdeploy").joinpath("remote/vrrp.pl").read_text(encoding="utf-8")
        super().__init__(
            node,
            {
                "now": Raw("date +%s.%N"),
                "release": Raw('. /etc/os-release; printf "%s\\n" "$ID" "$VERSION_ID" "$PRETTY_NAME"'),
                "ntp": Raw("timeout 5 timedatectl show -p NTPSynchronized --value"),
                "dpkg": Raw("lslocks -n -o COMMAND,PID,PATH | grep -E '/(dpkg|apt/lists)/lock'"),
                "candidates": Raw(cmd("apt-cache", "policy", *PACKAGES)),
                "listeners": Raw("ss -Hltnp"),
                "rules": Raw("nft list ruleset; iptables-save"),
                "networkd": Raw("systemctl -q is-active systemd-networkd && networkctl list --no-legend --no-pager"),
                "keeps": Raw("grep -rhsi '^ *KeepConfiguration' /etc/systemd/network /run/systemd/network"),
                "keepalived": PROBE,
                "heard": Raw(cmd("perl", "-e", perl, seconds)),
            },
        )

    def read(self, output: str) -> Examined:
        """Raises RemoteError where the output is not whole."""
        said = {name: answer.output for name, answer in self.answers(output).items()}
        release = (*said["release"].splitlines(), "", "", "")
        return Examined(
            release=(release[0], release[1], release[2]),
            clock=float(said["now"] or 0),
            synchronised=said["ntp"].strip() != "no",
            dpkg_lock=" ".join(said["dpkg"].split()[:2]),
            candidates=dict(_candidates(said["candidates"])),
            listeners=tuple(_listeners(said["listeners"])),
            rules=said["rules"],
            managed=frozenset(_managed(said["networkd"])),
            keeps=tuple(said["keeps"].splitlines()),
            adverts=_adverts(said["keepalived"]),
            heard=frozenset(heard(said["heard"])),
        )


def heard(text: str) -> Iterator[tuple[int, Address]]:
    """The lines of remote/vrrp.pl: virtual router ID, and source."""
    for router_id, source in re.findall(r"^(\d{1,3}) ([0-9a-fA-F.:]+)$", text, re.MULTILINE):
        with suppress(ValueError):
            yield int(router_id), ip_address(source)


def _candidates(text: str) -> Iterator[tuple[str, str]]:
    """Package and version, "(none)" where apt knows none."""
    yield from re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)$", text, re.MULTILINE)


def _listeners(text: str) -> Iterator[Listener]:
    for line in text.splitlines():
        words = line.split()
        if len(words) < 5:
            continue
        host, _, port = words[3].rpartition(":")
        host = host.partition("%")[0].strip("[]")
        if port.isdigit():
            yield Listener("" if host in ("*", "0.0.0.0", "::") else host, int(port), " ".join(words[5:]))  # noqa: S104


def _managed(text: str) -> Iterator[str]:
    """networkctl(1): number, name, type, operational state, and "unmanaged" or how far its setup has come."""
    rows = (line.split() for line in text.splitlines())
    yield from (row[1] for row in rows if len(row) == 5 and row[4] in ("configured", "configuring"))


def _adverts(text: str) -> tuple[int, int] | None:
    with suppress(ValueError, TypeError, KeyError, IndexError):
        stats = json.loads(text)[0]["stats"]
        return int(stats["advert_sent"]), int(stats["advert_rcvd"])
    return None
