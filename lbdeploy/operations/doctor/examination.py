"""Observing a node for `lbdeploy doctor`: all probes, and listening to its networks, in one script."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lbdeploy.common.debian import DAEMONS
from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster, Node
from lbdeploy.node import network_listener, surroundings
from lbdeploy.node.observation import NodeProbeScript
from lbdeploy.node.parsers import Neighbour
from lbdeploy.node.resources import File, Journal, Packages, Service
from lbdeploy.node.resources.base import Resource
from lbdeploy.operations.doctor import node_checks, software_checks
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.planning import endings
from lbdeploy.planning.desired import packages


class Examination(NodeProbeScript):
    """The script for one node, and the reader of what it prints."""

    def __init__(self, cluster: Cluster, node: Node, clock: Callable[[], float] = time.time) -> None:
        resources: list[Resource[Any]] = [
            Journal(),
            Packages(packages(cluster), upgrade=True, pins=tuple(cluster.packages.pins.items())),
            *(Service(name) for name in DAEMONS),
            *(File(path, "") for path in endings.FILES),
        ]
        super().__init__(cluster, node, resources, surroundings.probe(cluster))
        self.cluster = cluster
        # Asking the kernel about VIPs is for runs that have no time to listen: find-address-owner.pl asks here.
        others = {name: probe for name, probe in self.probes.items() if name != "neighbours"}
        asked = {"neighbours": Raw(":")} | node_checks.probes(cluster, node)
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
        """The checkup from the script's output. Raises AnswerError where the output is incomplete."""
        seen = self.read(output)
        heard = network_listener.read(seen.marks["heard"].output)
        neighbours = tuple(Neighbour(claim.ip, claim.mac) for claim in heard.claims)
        return Checkup(replace(seen, neighbours=neighbours), heard, self._ahead)


def beside(cluster: Cluster, node: Node) -> list[Raw]:
    """What runs in the background, since it is slow: listening, and fetching from the apt sources."""
    return [*network_listener.programs(cluster, node), software_checks.slow_probe()]
