"""The steps of a drill: lock, check health, arm, probe, break, wait, undo, check health again, read who took over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.config.model import STATUS, Cluster, Node, Ssh
from lbdeploy.errors import InterruptedRunError, LbdeployError
from lbdeploy.events import Emit, Event, Note, RemoteCommand
from lbdeploy.node.resources import File
from lbdeploy.operations.drill import prediction
from lbdeploy.operations.drill.fault_window import BASELINE, Breaking
from lbdeploy.operations.drill.faults import ON_SERVERS, OUTSIDE, FaultTarget, Kind, Name, kind, of_server
from lbdeploy.operations.drill.injector import FaultInjector, OnNode, OperatorInjector
from lbdeploy.operations.drill.measurement import Measurement
from lbdeploy.operations.drill.prediction import Prediction
from lbdeploy.operations.drill.recovery import Eyes, home, pending, servers_up
from lbdeploy.operations.drill.result import DrilledGroup, DrillResult
from lbdeploy.operations.outage.clocks import Clock, clocks_of
from lbdeploy.planning.desired import HAPROXY_CFG, HAPROXY_STOPPED, KEEPALIVED_CONF, TICKLE_CLIENTS, desired
from lbdeploy.rollout.lock import locking
from lbdeploy.rollout.observer import Observer, Wanted, settle_seconds
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool

HOLD = 8.0  # seconds that the fault lasts, unless the timers predict a longer outage
BOOT_SECONDS = 600.0  # seconds to wait for a machine that boots: a server's firmware checks all of its memory first
RETURN_PATIENCE = 15.0  # seconds; a single drill waits until the VIPs are back only where that takes less
BY_HAND = 60.0  # seconds for which a server is stopped that somebody has to go to

Outside = Callable[[str, str], FaultInjector]


class Drill:
    """Drills on one cluster. `about` says who runs them, for others who find the cluster locked.

    `outside` makes the injector for what happens to a machine from outside of it (power, cables), where that can be
    undone; by the fault's name and the machine's.
    """

    def __init__(self, cluster: Cluster, ssh: Ssh, emit: Emit, about: str, outside: Outside | None = None) -> None:
        self.cluster = cluster
        self._about = about
        resources = {node.name: desired(cluster, node) for node in cluster.nodes}
        self._wanted = Wanted(resources, frozenset(resources))
        self._ssh = ssh
        self._emit = emit
        self._outside = outside

    def run(
        self,
        name: Name,
        broken: str | None = None,
        hold: float | None = None,
        *,
        patient: bool = False,
        group: str | None = None,
    ) -> DrillResult:
        """Run one drill, on the holder, or the first server, unless another one is named as `broken`.

        `group`: on the holder of these VIPs; by default, of the first group, where there are any. `patient`: at the
        end, wait until the VIPs are back. Raises LbdeployError where it refuses to begin, and InterruptedRunError once
        the break is undone, or left to the node to undo. KeyboardInterrupt is raised only while nothing is broken.
        """
        pool = SessionPool(self.cluster, self._emit, ssh=self._ssh)
        with pool, self._new_pool() as ears, locking(pool, pool.nodes, self._about, 0, self._emit):
            before = self._require_health(pool)
            holder = self._holder(before, group)
            node = None if name in ON_SERVERS else self.cluster.node(broken or holder)
            target = self._target(name, node, broken)
            groups, predicted = tuple(self._groups(name, node, before)), self._predicted(name, node, before)
            hold = hold or self._hold(target.kind, predicted)
            measurement = Measurement(self.cluster, target, clocks_of(pool))
            breaking = Breaking(target, self._injector(target, pool, measurement.clocks, hold), hold, self._emit)
            with measurement.begin(ears, BASELINE + hold), measurement.here as here:
                at, undone = breaking.run(here)
                survey = self._heal(target.kind, patient=patient)
                time.sleep(BASELINE)
                ended = time.time()
        return DrillResult(
            kind=target.kind,
            node=target.name,
            holder=holder,
            **_limits(predicted),
            ended=ended,
            groups=groups,
            **self._seen(measurement, at, undone),
            **self._afterwards(survey),
        )

    def _holder(self, seen: Survey, group: str | None) -> str:
        """The node that holds the VIPs of a group; None: of the first one there is."""
        return seen.verdict.holders_of(group or self.cluster.parts[0].group)[0]

    def _afterwards(self, seen: Survey) -> dict[str, Any]:
        """How the cluster is at the end."""
        return {
            "healthy": seen.verdict.healthy and not seen.errors,
            "after": tuple(each.detail for each in seen.verdict.findings if not each.ok),
            "nodes": tuple(each.name for each in self.cluster.nodes),
            "verdict": seen.verdict,
        }

    def _target(self, name: Name, node: Node | None, server: str | None) -> FaultTarget:
        if node:
            return FaultTarget(node.name, kind(name, self.cluster, node), node)
        return FaultTarget(server or self.cluster.frontends[0].servers[0].name, of_server(name))

    def _seen(self, measurement: Measurement, at: float, undone: float) -> dict[str, Any]:
        """What was measured, and what the nodes' journals tell."""
        with self._new_pool() as pool:
            found = measurement.found(at, undone) | {"events": measurement.events(pool, at)}
        return found | {"broken": at, "repaired": undone}

    def _groups(self, name: Name, node: Node | None, seen: Survey) -> Iterator[DrilledGroup]:
        """What is expected for each group of VIPs."""
        served = {vip.group for vip in self.cluster.vips_of(self.cluster.frontends[0])}
        for part in self.cluster.parts if self.cluster.vrrp.groups else ():
            concerned = node is not None or part.group in served
            expected = self._predicted_in(part, name, node, seen) if concerned else Prediction(0.0, 0.0)
            [holder] = seen.verdict.holders_of(part.group)
            vips = tuple(vip.ip for vip in part.vips)
            yield DrilledGroup(part.group, part.instance, vips, holder, expected.outage, expected.silence)

    def _predicted(self, name: Name, node: Node | None, seen: Survey) -> Prediction:
        """The longest outage and silence that the timers allow, of any VIP."""
        each = [self._predicted_in(part, name, node, seen) for part in self.cluster.parts]
        silences = [one.silence for one in each]
        return Prediction(
            max(one.outage for one in each),
            None if None in silences else max(one for one in silences if one is not None),
        )

    def _predicted_in(self, part: Cluster, name: Name, node: Node | None, seen: Survey) -> Prediction:
        """The same for a part of the cluster, at the nodes' effective priorities."""
        if node is None:
            return prediction.of_server(self.cluster.frontends[0], name)
        files = [self._files(each) for each in (node, *self.cluster.peers(node))]
        if name == "path" and STATUS not in files[1][HAPROXY_CFG]:
            why = f"haproxy.cfg has no frontend {STATUS}: no node would take the VIPs over, whatever servers it reaches"
            raise LbdeployError(why, state="nothing was broken", fix="take it over from the built-in template")
        return prediction.of_node(
            part,
            name,
            part.node(node.name),
            holds=node.name in seen.verdict.holders_of(part.group),
            informed=HAPROXY_STOPPED in files[0][KEEPALIVED_CONF],
            tickled=all(TICKLE_CLIENTS in each[KEEPALIVED_CONF] for each in files[1:]),
            priorities={name: each.of(part).priority for name, each in seen.seen.items()},
        )

    def _files(self, node: Node) -> dict[str, str]:
        """What a node's files should have in them; templates may be the operator's own."""
        return {each.path: each.content for each in self._wanted.resources[node.name] if isinstance(each, File)}

    def _hold(self, what: Kind, predicted: Prediction) -> float:
        """How long (s) it is broken by default: longer than the outage."""
        least = BY_HAND if what.name in ON_SERVERS and not self._outside else HOLD
        return max(least, predicted.outage + 3)

    def _require_health(self, pool: SessionPool) -> Survey:
        """The state of all nodes. A pending preemption is waited for: its outage would be measured, too."""
        observer = Observer(self.cluster, pool, self._emit)
        survey = observer.survey(self._wanted)
        _refuse(survey)
        if pending(survey):
            self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
            survey = Eyes(pool, observer, self._wanted).until_well(self._return_seconds, also=home)
            _refuse(survey)
        return survey

    def _heal(self, what: Kind, *, patient: bool) -> Survey:
        """Look until all is well and, if `patient` or if it does not take long, the VIPs are back where they were."""
        try:
            with self._new_pool() as pool:
                eyes = Eyes(pool, Observer(self.cluster, pool, self._wire), self._wanted)
                boots = what.cuts_off or what.name in ON_SERVERS
                survey = eyes.until_well(
                    settle_seconds(self.cluster) + (BOOT_SECONDS if boots else 0),
                    also=servers_up if what.name in ON_SERVERS else None,
                )
                if pending(survey) and (patient or self._return_seconds < RETURN_PATIENCE):
                    self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
                    survey = eyes.until_well(self._return_seconds, also=home)
        except KeyboardInterrupt:
            state = "what was broken is undone; whether all is well again was not looked at"
            raise InterruptedRunError("interrupted", state=state, fix=typed("verify", "--wait", "60")) from None
        return survey

    @property
    def _return_seconds(self) -> float:
        """How long (s) VIPs may take to return to a node that has recovered, including the checks of its haproxy."""
        vrrp, delay = self.cluster.vrrp, max(part.vrrp.preempt_delay for part in self.cluster.parts)
        return delay + 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise + 4

    def _new_pool(self) -> SessionPool:
        """A pool with new connections: the earlier ones may have been cut."""
        return SessionPool(self.cluster, self._wire, ssh=self._ssh)

    def _wire(self, event: Event) -> None:
        """Pass on only what goes over the wire, for the log: failing connections are expected in a drill."""
        if isinstance(event, RemoteCommand):
            self._emit(event)

    def _injector(
        self, target: FaultTarget, pool: SessionPool, clocks: Mapping[str, Clock], hold: float
    ) -> FaultInjector:
        what, node = target.kind, target.node
        if what.name in (*OUTSIDE, *ON_SERVERS) and self._outside:
            return self._outside(what.name, target.name)
        if node is None:
            return OperatorInjector(target, hold, self._emit)
        clock = clocks[node.name]
        return OnNode(
            what, node, self._about, cluster=self.cluster, ssh=self._ssh, pool=pool, clock=clock, emit=self._wire
        )


def _limits(predicted: Prediction) -> dict[str, Any]:
    return {"expected": predicted.outage, "expected_silence": predicted.silence}


def _refuse(survey: Survey) -> None:
    """Raise unless all is well: a drill on a cluster that has no spare is an outage."""
    for error in survey.errors.values():
        raise error.but(state="nothing was broken: a drill needs a healthy cluster")
    if absent := survey.verdict.overview.undeployed("nothing was broken"):
        raise absent
    if bad := survey.verdict.errors:
        what = "\n".join(each.text for each in bad)
        state = "nothing was broken: a drill needs a healthy cluster"
        raise LbdeployError(f"the cluster is not healthy:\n{what}", state=state, fix=typed("verify"))
