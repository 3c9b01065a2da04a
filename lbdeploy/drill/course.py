"""The course of a drill: alone, healthy? arm, probe, break, wait, undo, healthy again? who took over when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from lbdeploy.desired import HAPROXY_STOPPED, KEEPALIVED_CONF, desired
from lbdeploy.drill import holding, journal, watch
from lbdeploy.drill.clocks import clocks_of
from lbdeploy.drill.hands import Hands, OnNode
from lbdeploy.drill.holding import Placed
from lbdeploy.drill.journal import Clock, Event
from lbdeploy.drill.kinds import BREAK_DELAY, Kind, Name, kind
from lbdeploy.drill.listen import Listen
from lbdeploy.drill.prober import Prober, Target
from lbdeploy.drill.result import HERE, Result, View, views
from lbdeploy.drill.timers import expected
from lbdeploy.errors import ConnectError, InterruptedRunError, LbdeployError
from lbdeploy.events import Done, Emit, Note, Step, silent
from lbdeploy.fleet import Fleet
from lbdeploy.interrupt import Interrupt
from lbdeploy.lock import locking
from lbdeploy.model import Cluster, Node, Ssh
from lbdeploy.observer import Observer, settle_seconds
from lbdeploy.probe import PRELUDE
from lbdeploy.resources import File
from lbdeploy.survey import Survey

BASELINE = 1.0  # seconds of probing before the break, and after all is well again
MARGIN = 6.0  # seconds by which the node's own repair comes later than the operator's
TAIL = 6.0  # seconds that the nodes go on telling what they see after the repair
HOLD = 8.0  # seconds that it stays broken, unless the timers predict a longer outage
BOOT_SECONDS = 120.0  # a server's firmware takes its time
RETURN_PATIENCE = 15.0  # seconds that one drill waits until the VIPs are back where they were
POLL_SECONDS = 0.5

Outside = Callable[[Kind, Node], Hands]


class Drill:
    """Drills on one cluster. `about` says who asks for them: others that find the cluster locked are told.

    `outside` makes the hands for what can't be undone on a node: its power and its cables.
    """

    def __init__(self, cluster: Cluster, ssh: Ssh, emit: Emit, about: str, outside: Outside | None = None) -> None:
        self.cluster = cluster
        self._about = about
        self._wanted = {node.name: desired(cluster, node) for node in cluster.nodes}
        self._ssh = ssh
        self._emit = emit
        self._outside = outside
        self._targets: list[Target] = list(cluster.targets)

    def run(self, name: Name, broken: str | None = None, hold: float | None = None, *, patient: bool = False) -> Result:
        """One drill, on the holder unless a node is named. `patient`: wait at the end until the VIPs are home again.

        Raises LbdeployError where it refuses to begin, and InterruptedRunError; what was broken is undone then.
        KeyboardInterrupt comes only while nothing is broken.
        """
        with self._fleet() as fleet, self._fleet() as ears, locking(fleet, fleet.nodes, self._about, 0, self._emit):
            holder = self._require_health()
            node = self.cluster.node(broken or holder)
            predicted = expected(self.cluster, name, node, holds=node.name == holder, told=self._told(node))
            what, hold = kind(name, node, self.cluster.vrrp.network), hold or max(HOLD, predicted + 3)
            clocks = clocks_of(fleet)
            hands = self._hands(what, node, fleet, clocks[node.name])
            here, there = Prober(self._targets), Listen(ears, self._telling(node, BASELINE + hold + TAIL))
            hands.arm(BASELINE + hold + (BREAK_DELAY if what.cuts_off else MARGIN))
            with there, here:
                at, undone = self._break(what, node, hands, hold, here)
                survey = self._heal(what, patient=patient)
                time.sleep(BASELINE)
                ended = time.time()
        return Result(
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
        )

    def _told(self, node: Node) -> bool:
        """Whether its keepalived.conf, which may be of the operator's own making, asks if haproxy is stopped."""
        files = {each.path: each.content for each in self._wanted[node.name] if isinstance(each, File)}
        return HAPROXY_STOPPED in files[KEEPALIVED_CONF]

    def _telling(self, broken: Node, seconds: float) -> dict[str, str]:
        """What each node runs meanwhile: all tell who has the VIPs; those that are not broken are clients, too."""
        whole = PRELUDE + holding.script(seconds)
        client = watch.script(self._targets, seconds)
        return {each.name: whole if each is broken else f"{whole}\n{client}" for each in self.cluster.nodes}

    def _views(self, here: Prober, there: Listen, clocks: Mapping[str, Clock], broken: Node) -> Iterator[View]:
        """What each client saw of each VIP: the one on this machine first."""
        vips = [vip for vip, _ in self._targets]
        yield from views(HERE, here.shots, vips)
        for each in self.cluster.peers(broken):
            yield from views(each.name, watch.read(there.lines(each.name), self._targets, clocks[each.name]), vips)

    def _placed(
        self, there: Listen, clocks: Mapping[str, Clock], what: Kind, broken: Node, at: float
    ) -> Iterator[Placed]:
        """Who had each VIP when. What a node has that nobody can reach is of no concern to anybody."""
        vips = [vip for vip, _ in self._targets]
        for name, clock in clocks.items():
            told = holding.read(there.lines(name), name, vips, clock)
            yield from (each for each in told if not (what.cuts_off and name == broken.name and each.at > at))
        if what.cuts_off:
            yield from (Placed(at, broken.name, vip, has=False) for vip in vips)

    def _require_health(self) -> str:
        """Who holds the VIPs. A holder that is about to be preempted is waited for: that would be measured, too."""
        survey = self._look(self._emit)
        _refuse(survey)
        if _pending(survey):
            self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
            survey = self._wait(self._return_seconds, home=True)
            _refuse(survey)
        return survey.verdict.holders[0]

    def _break(self, what: Kind, node: Node, hands: Hands, hold: float, here: Prober) -> tuple[float, float]:
        """Break it, and undo it whatever happens; when it was broken, and when undone (s, Unix)."""
        try:
            self._emit(Step(node.name, "probe the VIPs"))
            time.sleep(BASELINE)
            for vip in here.refused:
                told = f"{vip} refuses this machine: what the other nodes see of it counts (frontends.NAME.allow)"
                self._emit(Note(None, told))
            self._emit(Step(node.name, f"{what.what}; undone in {hold:.0f} s"))
            at = hands.break_it()
            time.sleep(max(0.0, at + hold - time.time()))
        except BaseException as error:
            self._undo(what, node, hands, hold)
            if isinstance(error, KeyboardInterrupt):
                raise _interrupted(what, node) from None
            raise
        self._undo(what, node, hands, hold)
        return at, time.time()

    def _undo(self, what: Kind, node: Node, hands: Hands, hold: float) -> None:
        """Undo it from here; where that fails, or on a second Ctrl-C, leave it to what was armed."""
        self._emit(Step(node.name, "undo it"))
        try:
            with Interrupt(self._emit) as interrupt:
                hands.undo()
            self._emit(Done(node.name, "undone"))
            if interrupt.asked:
                raise _interrupted(what, node)
        except KeyboardInterrupt:
            state = f"{node.name}: {what.what}; that is undone by itself within {hold + MARGIN:.0f} s"
            raise InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60") from None
        except ConnectError as error:
            self._emit(Note(node.name, f"not undone from here ({error.message}): it is by itself, in {MARGIN:.0f} s"))
            time.sleep(MARGIN)

    def _heal(self, what: Kind, *, patient: bool) -> Survey:
        """Look until all is well, and (where that does not take long) the VIPs are back where they were."""
        try:
            survey = self._wait(settle_seconds(self.cluster) + (BOOT_SECONDS if what.cuts_off else 0))
            if _pending(survey) and (patient or self._return_seconds < RETURN_PATIENCE):
                self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
                survey = self._wait(self._return_seconds, home=True)
        except KeyboardInterrupt:
            state = "what was broken is undone; whether all is well again was not looked at"
            raise InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60") from None
        return survey

    @property
    def _return_seconds(self) -> float:
        """How long VIPs may take to return to a node that is able again; haproxy's checks are part of that."""
        vrrp = self.cluster.vrrp
        return vrrp.preempt_delay + 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise + 4

    def _wait(self, seconds: float, *, home: bool = False) -> Survey:
        deadline = time.monotonic() + seconds
        while True:
            survey = self._look(silent)
            well = survey.verdict.healthy and not survey.errors
            if (well and not (home and _pending(survey))) or time.monotonic() >= deadline:
                return survey
            time.sleep(POLL_SECONDS)

    def _look(self, emit: Emit) -> Survey:
        """Over new connections: those from before may have been cut."""
        with self._fleet(emit) as fleet:
            return Observer(self.cluster, fleet, self._wanted, self._wanted, emit).survey()

    def _fleet(self, emit: Emit = silent) -> Fleet:
        return Fleet(self.cluster, emit, ssh=self._ssh)

    def _hands(self, what: Kind, node: Node, fleet: Fleet, clock: Clock) -> Hands:
        if what.cuts_off and self._outside:
            return self._outside(what, node)
        return OnNode(what, node, cluster=self.cluster, ssh=self._ssh, fleet=fleet, clock=clock)

    def _events(self, clocks: Mapping[str, Clock], since: float) -> list[Event]:
        """Every node's, in order; those of a node that can't be asked are missing."""
        with self._fleet() as fleet:
            script = {name: journal.script(since + clock.ahead) for name, clock in clocks.items()}
            found = fleet.each(fleet.nodes, lambda node, session: session.run(script[node.name]).output)
        texts = {name: text for name, text in found.items() if isinstance(text, str)}
        events = [event for name, text in texts.items() for event in journal.read(text, name, clocks[name], since)]
        return sorted(events, key=lambda event: event.at)


def _pending(survey: Survey) -> bool:
    """Whether the VIPs are about to move to a node of higher priority."""
    return any(each.check == "holder" and not each.ok for each in survey.verdict.findings)


def _refuse(survey: Survey) -> None:
    """Raise unless all is well: a drill on a cluster that has no spare is an outage."""
    for error in survey.errors.values():
        error.state = "nothing was broken: a drill wants a healthy cluster"
        raise error
    bad = [each for each in survey.verdict.findings if each.failed]
    if bad:
        what = "\n".join(f"{each.node}: {each.detail}" if each.node else each.detail for each in bad)
        state = "nothing was broken: a drill wants a healthy cluster"
        raise LbdeployError(f"the cluster is not healthy:\n{what}", state=state, fix="lbdeploy verify")


def _interrupted(what: Kind, node: Node) -> InterruptedRunError:
    state = f"what was broken is undone ({node.name}: {what.what})"
    return InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60")
