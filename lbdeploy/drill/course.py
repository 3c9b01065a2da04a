"""The course of a drill, as a list: healthy? arm, probe, break, wait, undo, healthy again? who took over when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from lbdeploy.drill import journal, watch
from lbdeploy.drill.gaps import Shot
from lbdeploy.drill.hands import Hands, OnNode
from lbdeploy.drill.journal import Clock, Event
from lbdeploy.drill.kinds import Kind, Name, kind
from lbdeploy.drill.prober import Prober, Target
from lbdeploy.drill.result import HERE, Result, views
from lbdeploy.drill.timers import expected
from lbdeploy.errors import InterruptedRunError, LbdeployError
from lbdeploy.events import Done, Emit, Note, Step, silent
from lbdeploy.fleet import Fleet
from lbdeploy.model import Cluster, Node, Ssh
from lbdeploy.rollout import Outcome, Run, settle_seconds

BASELINE = 1.0  # seconds of probing before the break, and after all is well again
MARGIN = 6.0  # seconds by which the node's own repair comes later than the operator's
TAIL = 6.0  # seconds that the other nodes go on probing after the repair
HOLD = 8.0  # seconds that it stays broken, unless the timers predict a longer outage
BOOT_SECONDS = 120.0  # a server's firmware takes its time
RETURN_PATIENCE = 15.0  # seconds that one drill waits until the VIPs are back where they were
POLL_SECONDS = 0.5

Outside = Callable[[Kind, Node], Hands]


class Drill:
    """Drills on one cluster. `outside` makes the hands for what can't be undone on a node: its power and its cables."""

    def __init__(self, cluster: Cluster, ssh: Ssh, emit: Emit, outside: Outside | None = None) -> None:
        self.cluster = cluster
        self._ssh = ssh
        self._emit = emit
        self._outside = outside
        self._targets: list[Target] = [(vip.ip, cluster.frontends[0].port) for vip in cluster.vips]

    def run(self, name: Name, broken: str | None = None, hold: float | None = None, *, patient: bool = False) -> Result:
        """One drill, on the holder unless a node is named. `patient`: wait at the end until the VIPs are home again.

        Raises LbdeployError where it refuses to begin, and InterruptedRunError; what was broken is undone then.
        """
        try:
            return self._run(name, broken, hold, patient)
        except KeyboardInterrupt:  # those that come while something is broken, or not yet well, have been answered
            raise InterruptedRunError("interrupted", state="nothing is broken", fix="lbdeploy verify") from None

    def _run(self, name: Name, broken: str | None, hold: float | None, patient: bool) -> Result:
        holder = self._require_health()
        node = self.cluster.node(broken or holder)
        predicted = expected(self.cluster, name, node, holds=node.name == holder)
        what, hold = kind(name, node, self.cluster.vrrp.network), hold or max(HOLD, predicted + 3)
        others = self.cluster.peers(node)
        with self._fleet() as fleet:
            clocks = _clocks(fleet)
            hands = self._hands(what, node, fleet, clocks[node.name])
            hands.arm(BASELINE + hold + (0 if what.cuts_off else MARGIN))
            with Watch(fleet, others, self._targets, BASELINE + hold + TAIL) as watching, Prober(self._targets) as here:
                at, undone = self._break(what, node, hands, hold)
                outcome = self._heal(what, patient=patient)
                time.sleep(BASELINE)
                ended = time.time()
        vips = [vip.ip for vip in self.cluster.vips]
        seen = (views(each.name, watching.shots(each.name, clocks[each.name]), vips) for each in others)
        return Result(
            kind=what,
            node=node.name,
            holder=holder,
            expected=predicted,
            broken=at,
            repaired=undone,
            ended=ended,
            views=(*views(HERE, here.shots, vips), *(view for each in seen for view in each)),
            streams=tuple(here.streams),
            events=tuple(self._events(clocks, at)),
            healthy=outcome.verdict.healthy and not outcome.errors,
            after=tuple(each.detail for each in outcome.verdict.findings if not each.ok),
            nodes=tuple(each.name for each in self.cluster.nodes),
        )

    def _require_health(self) -> str:
        """Who holds the VIPs. A holder that is about to be preempted is waited for: that would be measured, too."""
        outcome = self._look(self._emit)
        _refuse(outcome)
        if _pending(outcome):
            self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
            outcome = self._wait(self._return_seconds, home=True)
            _refuse(outcome)
        return outcome.verdict.holders[0]

    def _break(self, what: Kind, node: Node, hands: Hands, hold: float) -> tuple[float, float]:
        """Break it, and undo it whatever happens; when it was broken, and when undone (s, Unix)."""
        try:
            self._emit(Step(node.name, "probe the VIPs"))
            time.sleep(BASELINE)
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
        """Undo it from here; where that fails, leave it to what was armed. Raises InterruptedRunError."""
        self._emit(Step(node.name, "undo it"))
        try:
            hands.undo()
            self._emit(Done(node.name, "undone"))
        except KeyboardInterrupt:
            state = f"{node.name}: {what.what}; that is undone by itself within {hold + MARGIN:.0f} s"
            raise InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60") from None
        except LbdeployError as error:
            self._emit(Note(node.name, f"not undone from here ({error.message}): it is by itself, in {MARGIN:.0f} s"))
            time.sleep(MARGIN)

    def _heal(self, what: Kind, *, patient: bool) -> Outcome:
        """Look until all is well, and (where that does not take long) the VIPs are back where they were."""
        try:
            outcome = self._wait(settle_seconds(self.cluster) + (BOOT_SECONDS if what.cuts_off else 0))
            if _pending(outcome) and (patient or self._return_seconds < RETURN_PATIENCE):
                self._emit(Note(None, "waiting until the preferred node has taken the VIPs"))
                outcome = self._wait(self._return_seconds, home=True)
        except KeyboardInterrupt:
            state = "what was broken is undone; whether all is well again was not looked at"
            raise InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60") from None
        return outcome

    @property
    def _return_seconds(self) -> float:
        """How long VIPs may take to return to a node that is able again; haproxy's checks are part of that."""
        vrrp = self.cluster.vrrp
        return vrrp.preempt_delay + 4 * vrrp.advert_interval + vrrp.check_interval * vrrp.check_rise + 4

    def _wait(self, seconds: float, *, home: bool = False) -> Outcome:
        deadline = time.monotonic() + seconds
        while True:
            outcome = self._look(silent)
            well = outcome.verdict.healthy and not outcome.errors
            if (well and not (home and _pending(outcome))) or time.monotonic() >= deadline:
                return outcome
            time.sleep(POLL_SECONDS)

    def _look(self, emit: Emit) -> Outcome:
        """Over new connections: those from before may have been cut."""
        with self._fleet(emit) as fleet:
            return Run(self.cluster, fleet, emit).verify()

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


class Watch:
    """The other nodes probe the VIPs, too, while it is open as a context manager."""

    def __init__(self, fleet: Fleet, nodes: Sequence[Node], targets: Sequence[Target], seconds: float) -> None:
        self._targets = targets
        self._lines: dict[str, list[str]] = {node.name: [] for node in nodes}
        script = watch.script(targets, seconds)

        def work() -> None:
            fleet.each(nodes, lambda node, session: session.run(script, self._lines[node.name].append))

        self._thread = threading.Thread(target=work, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to wait for: the loop ends by itself, or with its connection."""

    def shots(self, name: str, clock: Clock) -> list[Shot]:
        """What a node saw."""
        return watch.read(tuple(self._lines[name]), self._targets, clock)


def _clocks(fleet: Fleet) -> dict[str, Clock]:
    """Each node's clock: the best known of three questions. Raises where one can't be asked."""

    def compare(_: Node, session: object) -> Clock:
        answers = [_ask(session) for _ in range(3)]
        return min(answers, key=lambda clock: clock.within)

    found = fleet.each(fleet.nodes, compare)
    for each in found.values():
        if isinstance(each, LbdeployError):
            raise each
    return {name: each for name, each in found.items() if isinstance(each, Clock)}


def _ask(session: object) -> Clock:
    asked = time.time()
    said = session.run(journal.NOW).output  # type: ignore[attr-defined]
    return Clock.compared(asked, float(said), time.time())


def _pending(outcome: Outcome) -> bool:
    """Whether the VIPs are about to move to a node of higher priority."""
    return any(each.check == "holder" and not each.ok for each in outcome.verdict.findings)


def _refuse(outcome: Outcome) -> None:
    """Raise unless all is well: a drill on a cluster that has no spare is an outage."""
    for error in outcome.errors.values():
        error.state = "nothing was broken: a drill wants a healthy cluster"
        raise error
    bad = [each for each in outcome.verdict.findings if each.failed]
    if bad:
        what = "\n".join(f"{each.node}: {each.detail}" if each.node else each.detail for each in bad)
        state = "nothing was broken: a drill wants a healthy cluster"
        raise LbdeployError(f"the cluster is not healthy:\n{what}", state=state, fix="lbdeploy verify")


def _interrupted(what: Kind, node: Node) -> InterruptedRunError:
    state = f"what was broken is undone ({node.name}: {what.what})"
    return InterruptedRunError("interrupted", state=state, fix="lbdeploy verify --wait 60")
