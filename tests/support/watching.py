"""Clusters as a live screen has them: well, not well, not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from builders import observe
from statuses import pair, snapshot

from lbdeploy.cli.report.live.sections import Watched
from lbdeploy.cli.report.terminal import Line
from lbdeploy.config.model import Cluster
from lbdeploy.errors import UsageError
from lbdeploy.operations.status import Snapshot, Status
from lbdeploy.operations.watch.clusters import WatchedCluster
from lbdeploy.operations.watch.trends import Trends

NOW = 1_800_000_000.0


def text(line: Line) -> str:
    return "".join(part if isinstance(part, str) else part[0] for part in line)


def watched(status: Status, last: Mapping[str, Snapshot] | None = None, **silent: float) -> Watched:
    trends = Trends()
    trends.note(status, NOW)
    return Watched(status, silent, {**(last or {}), **status.nodes}, trends)


def fault(seed: Cluster) -> Status:
    """lb1 has lost haproxy, and lb2 has the VIPs."""
    running = observe(seed, seed.node("lb1")).service("haproxy")
    stopped = {"service haproxy": replace(running, active="inactive", since=0)}
    nodes = {
        "lb1": snapshot(seed, "lb1", "FAULT", holds=False, states=stopped),
        "lb2": snapshot(seed, "lb2", "MASTER", holds=True),
    }
    return Status(seed, nodes)


@dataclass
class Looked:
    """In the place of a Watch: the status does not change."""

    status: Status
    silent: dict[str, float] = field(default_factory=dict)

    @property
    def last(self) -> Mapping[str, Snapshot]:
        return self.status.nodes


def clusters(seed: Cluster) -> list[WatchedCluster]:
    """One that is well, one that is not, one whose file is bad, one that is not there yet."""
    made = [
        WatchedCluster("tokyo", Looked(pair(seed))),  # type: ignore[arg-type]
        WatchedCluster("osaka", Looked(fault(seed))),  # type: ignore[arg-type]
        WatchedCluster("kobe"),
        WatchedCluster("nara"),
    ]
    made[2].error = UsageError("there is no file kobe.toml")
    return made
