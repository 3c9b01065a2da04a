"""What clients and nodes see while a drill lasts: this machine and the other nodes as clients, and each node's VIPs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lbdeploy.config.model import Cluster
from lbdeploy.node.observation import PRELUDE
from lbdeploy.operations.drill.faults import ON_SERVERS, FaultTarget
from lbdeploy.operations.outage import node_clients, vip_moves, vrrp_events
from lbdeploy.operations.outage.client import WATCHES, Prober, ProbeTarget
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.operations.outage.node_streams import Listen
from lbdeploy.operations.outage.views import HERE, View, views
from lbdeploy.operations.outage.vip_moves import Placed
from lbdeploy.ssh.pool import SessionPool

TAIL = 6.0  # seconds for which the nodes keep reporting after the repair
WATCHES_ON_SERVERS = 6  # so that one of them is on the server that fails


class Measurement:
    """One drill's clients: `here`, and on the nodes, whose `clocks` are known."""

    def __init__(self, cluster: Cluster, target: FaultTarget, clocks: Mapping[str, Clock]) -> None:
        self.clocks = clocks
        self._cluster = cluster
        self._what = target.kind
        self._broken = target.node
        self._targets: list[ProbeTarget] = list(cluster.targets)
        self.here = Prober(self._targets, WATCHES_ON_SERVERS if target.node is None else WATCHES)

    def begin(self, ears: SessionPool, seconds: float) -> Listen:
        """What the nodes report within that time, and a little longer; `ears` is used for nothing else."""
        self._there = Listen(ears, self._telling(seconds + TAIL))
        return self._there

    def found(self, at: float, undone: float) -> dict[str, Any]:
        """What has been measured, for a DrillResult. It was broken from `at` until `undone` (s, Unix)."""
        return {
            "views": tuple(self._views()),
            "placed": tuple(self._placed(at, undone)),
            "streams": tuple(self.here.streams),
            **self.here.watched(at),
        }

    def _telling(self, seconds: float) -> dict[str, str]:
        """What each node runs meanwhile: all report the VIPs that they have; those not broken also probe the VIPs.

        A sudo that logs output passes on nothing any more once the script has ended: so it waits for all of it.
        """
        moves = PRELUDE + vip_moves.script(seconds)
        client = node_clients.script(self._targets, seconds)
        return {each.name: f"{moves}\n{'' if each is self._broken else client}\nwait" for each in self._cluster.nodes}

    def _views(self) -> Iterator[View]:
        """What each client saw of each VIP: the one on this machine first."""
        vips = [vip for vip, _ in self._targets]
        yield from views(HERE, self.here.results, vips)
        for each in self._cluster.nodes:
            if each is not self._broken:
                lines, clock = self._there.lines(each.name), self.clocks[each.name]
                yield from views(each.name, node_clients.read(lines, self._targets, clock), vips)

    def _placed(self, at: float, undone: float) -> Iterator[Placed]:
        """Which node had each VIP when. A node that is cut off counts as having none from then on.

        One that was frozen has them again as soon as it is not.
        """
        vips = [vip for vip, _ in self._targets]
        cut_off = self._broken.name if self._broken and self._what.cuts_off else ""
        frozen = self._what.name == "freeze"
        for name, clock in self.clocks.items():
            moves = list(vip_moves.read(self._there.lines(name), name, vips, clock))
            yield from (each for each in moves if name != cut_off or each.at <= at or (frozen and each.at >= undone))
            if name == cut_off:
                had = [vip for vip in vips if _has(moves, vip, at)]
                yield from (Placed(at, name, vip, has=False) for vip in vips)
                yield from (Placed(undone, name, vip, has=True) for vip in had if frozen)

    def events(self, pool: SessionPool, since: float) -> tuple[vrrp_events.Event, ...]:
        """The events of every node, in order of time; those of a node that can't be asked are missing."""
        servers = self._what.name in (*ON_SERVERS, "path")
        script = {name: vrrp_events.script(since + each.ahead, servers=servers) for name, each in self.clocks.items()}
        found = pool.each(pool.nodes, lambda node, session: session.run(script[node.name]).output)
        texts = {name: text for name, text in found.items() if isinstance(text, str)}
        events = [one for name, text in texts.items() for one in vrrp_events.read(text, name, self.clocks[name], since)]
        return tuple(sorted(events, key=lambda event: event.at))


def _has(moves: list[Placed], vip: object, at: float) -> bool:
    """Whether a node has the VIP at a moment, by its moves in order of time."""
    return next((each.has for each in reversed(moves) if each.vip == vip and each.at <= at), False)
