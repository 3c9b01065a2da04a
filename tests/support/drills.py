"""A drill and its probes, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

from builders import SEED

from lbdeploy.cli.report.drill.text import lines
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.operations.drill.faults import kind
from lbdeploy.operations.drill.result import DrillResult
from lbdeploy.operations.outage.client import PERIOD, Stream
from lbdeploy.operations.outage.gaps import ProbeResult
from lbdeploy.operations.outage.views import HERE, View
from lbdeploy.operations.outage.vrrp_events import Event

VIP, OTHER = ip_address("192.168.0.10"), ip_address("192.168.1.10")


def results(pattern: str, start: float = 0.0) -> list[ProbeResult]:
    """A probe every 20 ms: a dot was answered, an x was not."""
    return [ProbeResult(VIP, start + PERIOD * n, "" if each == "." else "refused") for n, each in enumerate(pattern)]


def seeded(advert: float = 1, **vrrp: object) -> Cluster:
    cluster = reader.load(SEED)
    return replace(cluster, vrrp=replace(cluster.vrrp, advert_interval=advert, **vrrp))  # type: ignore[arg-type]


def result(cluster: Cluster, pattern: str = "." * 50 + "x" * 60 + "." * 200, **other: object) -> DrillResult:
    """A drill in which lb1's haproxy was stopped at 1000, and lb2 took over at 1001.2."""
    view = View(HERE, VIP, tuple(results(pattern, 999.0)))
    given = DrillResult(
        kind=kind("haproxy", cluster, cluster.preferred),
        node="lb1",
        holder="lb1",
        expected=1.61,
        broken=1000.0,
        repaired=1003.0,
        ended=1005.0,
        views=(view,),
        streams=(Stream(VIP, 999.1, 1000.1), Stream(OTHER, 999.1), Stream(VIP, 1001.5)),
        events=(Event(1000.6, "lb1", "enters FAULT", "FAULT"), Event(1001.2, "lb2", "enters MASTER", "MASTER")),
        nodes=("lb1", "lb2"),
    )
    return replace(given, **other)  # type: ignore[arg-type]


def text(result: DrillResult, width: int = 80) -> str:
    return "\n".join("".join(p if isinstance(p, str) else p[0] for p in line) for line in lines(result, width))


def raising(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do
