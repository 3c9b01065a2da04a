"""The report of a handover: which node has the VIPs, what clients lost, and until when it keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbdeploy.cli.report.summary import summary_line
from lbdeploy.cli.report.terminal import Line
from lbdeploy.config.model import Cluster
from lbdeploy.operations.handover.result import HandoverResult
from lbdeploy.operations.outage.watch import NOTED


def lines(cluster: Cluster, results: Sequence[HandoverResult]) -> Iterator[Line]:
    """The lines about a handover: of each group that moved, one after the other."""
    for each in results:
        yield from _moved(cluster.part(each.group), each)
    last = results[-1].verdict
    yield summary_line(last.overview, last.state, last.causes)


def _moved(part: Cluster, moved: HandoverResult) -> Iterator[Line]:
    vips = part.its_vips
    if moved.moved:
        yield ("Moved: ", "good"), (moved.taker, "name"), f" has taken {vips} from ", (moved.giver, "name")
        yield from _cost(moved)
    else:
        yield ("Nothing to move: ", "good"), (moved.taker, "name"), f" holds {vips}"
    yield from _until(part, moved)


def _cost(moved: HandoverResult) -> Iterator[Line]:
    for view in moved.views:
        if not view.reached:
            yield ("! ", "warn"), f"{view.vip} can't be reached from here: what it cost clients was not measured"
    if not moved.measured:
        return
    style = "good" if moved.in_time else "bad"
    rest = f"; outage {moved.outage:.2f} s; open connections that were cut: {moved.broken}"
    if moved.late:
        rest += f"; asked for again by TCP, 1 s late: {moved.late}"
    yield (f"{moved.failed} of {moved.probes} probes failed", style), rest
    if moved.watches:
        ended = f"{moved.ended_watches} of {moved.watches} watches that only read were ended"
        silence = f"at most {moved.silence:.2f} s" if moved.silence else f"less than {NOTED:g} s"
        yield f"{ended}, and heard nothing for {silence}"


def _until(part: Cluster, moved: HandoverResult) -> Iterator[Line]:
    vrrp, best = part.vrrp, part.preferred.name
    command = part.handover("--back")
    if moved.holds:
        back = (command, "next")
        yield "They stay there until ", back, f", or until {moved.taker} is rebooted:"
        yield f"{best} takes them then, after preempt_delay ({vrrp.preempt_delay:g} s)."
    elif moved.taker != best and not vrrp.preempt:
        yield "They stay there, since preempt is off. To bring them back: ", (command, "next")
