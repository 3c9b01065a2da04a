"""The report of a handover: which node has the VIPs, what clients lost, and until when it keeps them."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.cli.report.summary import summary_line
from lbdeploy.cli.report.terminal import Line
from lbdeploy.config.model import Cluster
from lbdeploy.operations.handover.result import HandoverResult


def lines(cluster: Cluster, moved: HandoverResult) -> Iterator[Line]:
    """The lines about a handover."""
    if moved.moved:
        yield ("Moved: ", "good"), (moved.taker, "name"), " has taken the VIPs from ", (moved.giver, "name")
        yield from _cost(moved)
    else:
        yield ("Nothing to move: ", "good"), (moved.taker, "name"), " holds the VIPs"
    yield from _until(cluster, moved)
    yield summary_line(moved.verdict.overview, moved.verdict.state, moved.verdict.causes)


def _cost(moved: HandoverResult) -> Iterator[Line]:
    for view in moved.views:
        if not view.reached:
            yield ("! ", "warn"), f"{view.vip} can't be reached from here: what it cost clients was not measured"
    if not moved.measured:
        return
    style = "good" if moved.in_time else "bad"
    rest = f"; outage {moved.outage:.2f} s; open connections that were cut: {moved.broken}"
    yield (f"{moved.failed} of {moved.probes} probes failed", style), rest


def _until(cluster: Cluster, moved: HandoverResult) -> Iterator[Line]:
    vrrp, best = cluster.vrrp, cluster.preferred.name
    if moved.holds:
        back = ("lbdeploy handover --back", "next")
        yield "They stay there until ", back, f", or until {moved.taker} is rebooted:"
        yield f"{best} takes them then, after preempt_delay ({vrrp.preempt_delay:g} s)."
    elif moved.taker != best and not vrrp.preempt:
        yield "They stay there, since preempt is off. To bring them back: ", ("lbdeploy handover --back", "next")
