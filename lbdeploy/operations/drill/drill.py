"""The steps of a drill: lock, check health, arm, probe, break, wait, undo, check health again, read who took over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from lbdeploy.config.model import Cluster, Node, Ssh
from lbdeploy.errors import InterruptedRunError, LbdeployError
from lbdeploy.events import Emit, Event, Note, RemoteCommand
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.resources import File
from lbdeploy.operations.drill.fault_window import BASELINE, Breaking
from lbdeploy.operations.drill.faults import Kind, Name, kind
from lbdeploy.operations.drill.injector import FaultInjector, OnNode
from lbdeploy.operations.drill.prediction import expected
from lbdeploy.operations.drill.recovery import Eyes, pending
from lbdeploy.operations.drill.result import DrillResult
from lbdeploy.operations.outage import node_clients, vip_moves, vrrp_events
from lbdeploy.operations.outage.client import Prober, ProbeTarget
from lbdeploy.operations.outage.clocks import Clock, clocks_of
from lbdeploy.operations.outage.node_streams import Listen
from lbdeploy.operations.outage.views import HERE, View, views
from lbdeploy.operations.outage.vip_moves import Placed
from lbdeploy.planning.desired import HAPROXY_STOPPED, KEEPALIVED_CONF, desired
from lbdeploy.rollout.lock import locking
from lbdeploy.rollout.observer import Observer, Wanted, settle_seconds
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool

TAIL = 6.0  # seconds for which the nodes keep reporting after the repair
HOLD = 8.0  # seconds that the fault lasts, unless the timers predict a longer outage
BOOT_SECONDS = 600.0  # seconds to wait for a node that boots: a server's firmware checks all of its memory first
RETURN_PATIENCE = 15.0  # seconds; a single drill waits until the VIPs are back only where that takes less

Outside = Callable[[str, Node], FaultInjector]


class Drill:
    """Drills on one cluster. `about` says who runs them, for others who find the cluster locked.

    `outside` makes the injector for what cuts a node off (power, cables), where that can be undone from outside of it.
    """

    def __init__(self, cluster: Cluster, ssh: Ssh, emit: Emit, about: str, outside: Outside | None = None) -> None:
        self.cluster = cluster
        self._about = about
        resources = {node.name: desired(cluster, node) for node in cluster.nodes}
        self._wanted = Wanted(resources, frozenset(resources))
        self._ssh = ssh
        self._emit = emit
        self._outside = outside
        self._targets: list[ProbeTarget] = list(cluster.targets)

    def run(
        self, name: Name, broken: str | None = None, hold: float | None = None, *, patient: bool = False
    ) -> DrillResult:
        """Run one drill, on the holder unless a node is named. `patient`: at the end, wait until the VIPs are back.

        Raises LbdeployError where it refuses to begin, and InterruptedRunError once the break is undone, or left to the
        node to undo. KeyboardInterrupt is raised only while nothing is broken.
        """
        pool = SessionPool(self.cluster, self._emit, ssh=self._ssh)
        with pool, self._new_pool() as ears, locking(pool, pool.nodes, self._about, 0, self._emit):
            before = self._require_health(pool)
            holder = before.verdict.holders[0]
            node = self.cluster.node(broken or holder)
            predicted = self._predicted(name, node, before)
            what, hold = kind(name, node, self.cluster.vrrp.network), hold or max(HOLD, predicted + 3)
            clocks = clocks_of(pool)
            injector = self._injector(what, node, pool, clocks[node.name])
            here, there = Prober(self._targets), Listen(ears, self._telling(node, BASELINE + hold + TAIL))
            with there, here:
                at, undone = Breaking(what, node, injector, hold, self._emit).run(here)
                survey = self._heal(what, patient=patient)
                time.sleep(BASELINE)
                ended = time.time()
        return DrillResult(
            kind=what,
            node=node.name,
            holder=holder,
            expected=predicted,
            broken=at,
            repaired=undone,
            ended=ended,
            views=tuple(self._views(here, there, clocks, node)),
            placed=tuple(self._placed(there, clocks, what, node, at)),
            streams=tuple(here.streams),
            events=tuple(self._events(clocks, at)),
            healthy=survey.verdict.healthy and not survey.errors,
            after=tuple(each.detail for each in survey.verdict.findings if not each.ok),
            nodes=tuple(each.name for each in self.cluster.nodes),
            verdict=survey.verdict,
        )

    def _predicted(self, name: Name, node: Node, seen: Survey) -> float:
        """The longest outage (s) that the timers allow, at the nodes' effective priorities."""
        holds, priorities = node.name in seen.verdict.holders, {name: each.priority for name, each in seen.seen.items()}
        return expected(self.cluster, name, node, holds=holds, informed=self._informed(node), priorities=priorities)

    def _informed(self, node: Node) -> bool:
        """Whether its keepalived.conf, which may be from the operator's own template, tracks HAPROXY_STOPPED."""
        files = {each.path: each.content for each in self._wanted.resources[node.name] if isinstance(each, File)}
        return HAPROXY_STOPPED in files[KEEPALIVED_CONF]

    def _telling(self, broken: Node, seconds: float) -> dict[str, str]:
        """What each node runs meanwhile: all report the VIPs that they have; those not broken also probe the VIPs.

        A sudo that logs output passes on nothing any more once the script has ended: so it waits for all of it.
        """
        moves = PRELUDE + vip_moves.script(seconds)
        client = node_clients.script(self._targets, seconds)
        return {each.name: f"{moves}\n{'' if each is broken else client}\nwait" for each in self.cluster.nodes}

    def _views(self, here: Prober, there: Listen, clocks: Mapping[str, Clock], broken: Node) -> Iterator[View]:
        """What each client saw of each VIP: the one on this machine first."""
        vips = [vip for vip, _ in self._targets]
        yield from views(HERE, here.results, vips)
        for each in self.cluster.peers(broken):
            yield from views(
                each.name, node_clients.read(there.lines(each.name), self._targets, clocks[each.name]), vips
            )

    def _placed(
        self, there: Listen, clocks: Mapping[str, Clock], what: Kind, broken: Node, at: float
    ) -> Iterator[Placed]:
        """Which node had each VIP when. A node that is cut off counts as having none from then on."""
        vips = [vip for vip, _ in self._targets]
        for name, clock in clocks.items():
            moves = vip_moves.read(there.lines(name), name, vips, clock)
            yield from (each for each in moves if not (what.cuts_off and name == broken.name and each.at > at))
        if what.cuts_off:
            yield from (Placed(at, broken.name, vip, has=False) for vip in vips)

    def _require_health(self, pool: SessionPool) -> Survey:
        """The state of all nodes. A pending preemption is waited for: its outage would be measured, too."""
        observer = Observer(self.cluster, pool, self._emit)
        survey = observer.survey(self._wanted)
        _refuse(survey)
        if pending(survey):
            self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
            survey = Eyes(pool, observer, self._wanted).until_well(self._return_seconds, home=True)
            _refuse(survey)
        return survey

    def _heal(self, what: Kind, *, patient: bool) -> Survey:
        """Look until all is well and, if `patient` or if it does not take long, the VIPs are back where they were."""
        try:
            with self._new_pool() as pool:
                eyes = Eyes(pool, Observer(self.cluster, pool, self._wire), self._wanted)
                survey = eyes.until_well(settle_seconds(self.cluster) + (BOOT_SECONDS if what.cuts_off else 0))
                if pending(survey) and (patient or self._return_seconds < RETURN_PATIENCE):
                    self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
                    survey = eyes.until_well(self._return_seconds, home=True)
        except KeyboardInterrupt:
            state = "what was broken is undone; whether all is well again was not looked at"
            raise InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60") from None
        return survey

    @property
    def _return_seconds(self) -> float:
        """How long (s) VIPs may take to return to a node that has recovered, including the checks of its haproxy."""
        vrrp = self.cluster.vrrp
        return vrrp.preempt_delay + 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise + 4

    def _new_pool(self) -> SessionPool:
        """A pool with new connections: the earlier ones may have been cut."""
        return SessionPool(self.cluster, self._wire, ssh=self._ssh)

    def _wire(self, event: Event) -> None:
        """Pass on only what goes over the wire, for the log: failing connections are expected in a drill."""
        if isinstance(event, RemoteCommand):
            self._emit(event)

    def _injector(self, what: Kind, node: Node, pool: SessionPool, clock: Clock) -> FaultInjector:
        if what.cuts_off and self._outside:
            return self._outside(what.name, node)
        return OnNode(what, node, cluster=self.cluster, ssh=self._ssh, pool=pool, clock=clock, emit=self._wire)

    def _events(self, clocks: Mapping[str, Clock], since: float) -> list[vrrp_events.Event]:
        """The events of every node, in order of time; those of a node that can't be asked are missing."""
        with self._new_pool() as pool:
            script = {name: vrrp_events.script(since + clock.ahead) for name, clock in clocks.items()}
            found = pool.each(pool.nodes, lambda node, session: session.run(script[node.name]).output)
        texts = {name: text for name, text in found.items() if isinstance(text, str)}
        events = [event for name, text in texts.items() for event in vrrp_events.read(text, name, clocks[name], since)]
        return sorted(events, key=lambda event: event.at)


def _refuse(survey: Survey) -> None:
    """Raise unless all is well: a drill on a cluster that has no spare is an outage."""
    for error in survey.errors.values():
        raise error.but(state="nothing was broken: a drill needs a healthy cluster")
    if absent := survey.verdict.overview.undeployed("nothing was broken"):
        raise absent
    if bad := survey.verdict.errors:
        what = "\n".join(each.text for each in bad)
        state = "nothing was broken: a drill needs a healthy cluster"
        raise LbdeployError(f"the cluster is not healthy:\n{what}", state=state, fix="lbdeploy verify")
