"""What a drill has measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Address
from lbdeploy.errors import DrillError
from lbdeploy.health.verdict import Verdict
from lbdeploy.operations.drill.faults import ON_SERVERS, Kind
from lbdeploy.operations.outage import vip_moves
from lbdeploy.operations.outage.client import Stream
from lbdeploy.operations.outage.views import TOLERANCE, Measured, _ms
from lbdeploy.operations.outage.vip_moves import Placed
from lbdeploy.operations.outage.vrrp_events import Event
from lbdeploy.operations.outage.watch import NOTED

LOOK = typed("verify", "--wait", "60")
FORGETS = ("hang", "link", "freeze")  # after which haproxy learns anew who is connected to the other nodes
RELEARNED = 10.0  # seconds that this takes


@dataclass(frozen=True, slots=True)
class DrilledGroup:
    """What a drill is to do to a group of VIPs: `expected` and `expected_silence` (s) are 0 where others hold them."""

    group: str
    instance: str
    vips: tuple[Address, ...]
    holder: str
    expected: float
    expected_silence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult(Measured):
    """One drill. Times are by the operator's clock (s, Unix); `expected` is in seconds.

    `broken` and `repaired` are when the break began and when it was undone, `ended` when the probing stopped. `after`
    says what is not as it should be at the end: also when the VIPs will return, if they have not yet.
    `expected_silence`: as `expected`, of watches that only read; None: for good.
    """

    kind: Kind
    node: str
    holder: str
    expected: float
    broken: float
    repaired: float
    ended: float
    events: tuple[Event, ...] = ()
    placed: tuple[Placed, ...] = ()
    healthy: bool = True
    after: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    expected_silence: float | None = None
    verdict: Verdict | None = None  # what was found at the end
    groups: tuple[DrilledGroup, ...] = ()  # where hosts.toml has groups

    @property
    def taker(self) -> str:
        """Who served the VIPs next: the first node to become MASTER after the break; the holder, if none did.

        Where there are groups, of the VIPs that the holder had.
        """
        own = {each.instance for each in self.groups if each.holder == self.holder}
        events = [each for each in self.events if not self.groups or each.instance in own]
        return next((each.node for each in events if each.state == "MASTER"), self.holder)

    def taker_of(self, group: DrilledGroup) -> str:
        """The same for a group."""
        events = [each for each in self.events if each.instance == group.instance]
        return next((each.node for each in events if each.state == "MASTER"), group.holder)

    def outage_of(self, group: DrilledGroup) -> float:
        """The longest outage (s) of a group's VIPs that any client saw."""
        return max((view.outage for view in self.reached if view.vip in group.vips), default=0.0)

    def silence_of(self, group: DrilledGroup) -> float:
        """The longest silence (s) of watches of a group's VIPs."""
        own = (each for each in self.silences if each.vip in group.vips)
        return max((each.since(self.disturbances) for each in own), default=0.0)

    @property
    def one_holder(self) -> float | None:
        """Seconds from the break until each VIP was on one node again; None: not before it was undone."""
        return vip_moves.one_holder(self.placed, self.broken, self.repaired)

    @property
    def two_holders(self) -> float:
        """Seconds for which a VIP was on two nodes at once while it was broken."""
        return vip_moves.two_holders(self.placed, self.broken, self.ended if self.thaws else self.repaired)

    @property
    def thaws(self) -> bool:
        """Whether the node goes on with what it did before, as soon as it is undone."""
        return self.kind.name == "freeze"

    @property
    def silence(self) -> float:
        """The longest time (s) for which a watch that only reads heard nothing since the break."""
        return max((each.since(self.disturbances) for each in self.silences), default=0.0)

    @property
    def disturbances(self) -> tuple[float, ...]:
        """When what a watch listened to may have gone: at the break, and whenever a node lost a VIP."""
        return (self.broken, *(each.at for each in self.placed if each.at > self.broken and not each.has))

    @property
    def heard(self) -> bool:
        """Whether no watch was silent for longer than was predicted."""
        limits = [(each.expected_silence, self.silence_of(each)) for each in self.groups]
        limits = limits or [(self.expected_silence, self.silence)]
        return all(limit is None or silence <= max(limit, NOTED) + TOLERANCE for limit, silence in limits)

    @property
    def least(self) -> float:
        """How long (s) outages are that are listed: a server that is lost takes every other probe with it."""
        return TOLERANCE if self.kind.name in ON_SERVERS else 0.0

    @property
    def failed_after_out(self) -> int | None:
        """How many probes failed that began when the server had been called down by the holder; None: never."""
        out = next((each.at for each in self.events if each.node == self.holder and each.what.endswith(" DOWN")), None)
        if out is None:
            return None
        return sum(not probe.good and probe.start > out for view in self.measured for probe in view.results)

    @property
    def long_lived(self) -> tuple[Stream, ...]:
        """The streams that were open at the break."""
        return tuple(each for each in self.streams if each.alive_at(self.broken))

    @property
    def streams_broken(self) -> int:
        return sum(each.broken is not None for each in self.long_lived)

    @property
    def in_time(self) -> bool:
        """Whether no client saw more than what was predicted, within the tolerance; and it was over before the end."""
        return self.answered_in_time and self.heard

    @property
    def answered_in_time(self) -> bool:
        groups = all(self.outage_of(each) <= each.expected + TOLERANCE for each in self.groups)
        return bool(self.measured) and self.within(self.expected) and self.seen <= self.expected + TOLERANCE and groups

    @property
    def seen(self) -> float:
        """The longest outage (s) that any client saw that has a way to the VIP, on whichever machine."""
        return max((view.outage for view in self.reached), default=0.0)

    @property
    def ok(self) -> bool:
        return self.in_time and self.healthy

    def to_json(self) -> dict[str, object]:
        """The contract's keys, and what else was seen. `at_ms` counts from the break."""
        return {
            "kind": self.kind.name,
            "node": self.node,
            "outage_ms": _ms(self.outage),
            "outage_at_ms": _ms(self.worst.gap.start - self.broken) if self.worst and self.worst.gap else None,
            "expected_ms": _ms(self.expected),
            "tolerance_ms": _ms(TOLERANCE),
            "in_time": self.in_time,
            "probes": self.probes,
            "failed": self.failed,
            "from": self.holder,
            "to": self.taker,
            "streams": {"opened": len(self.long_lived), "broken": self.streams_broken},
            "watches": self._watches(),
            "one_holder_ms": None if self.one_holder is None else _ms(self.one_holder),
            "two_holders_ms": _ms(self.two_holders),
            "broken_for_ms": _ms(self.repaired - self.broken),
            "outages": self._outages(),
            "silences": self._silences(),
            **({} if self.failed_after_out is None else {"failed_after_out": self.failed_after_out}),
            "views": [view.to_json() for view in self.views],
            "events": [
                {"at_ms": _ms(each.at - self.broken), "node": each.node, "what": each.what} for each in self.events
            ],
            "healthy": self.healthy,
            "after": list(self.after),
            **({"groups": [self._group(each) for each in self.groups]} if self.groups else {}),
        }

    def _group(self, group: DrilledGroup) -> dict[str, object]:
        return {
            "group": group.group,
            "from": group.holder,
            "to": self.taker_of(group),
            "outage_ms": _ms(self.outage_of(group)),
            "expected_ms": _ms(group.expected),
            "silence_ms": _ms(self.silence_of(group)),
        }

    def _watches(self) -> dict[str, int | None]:
        return {
            "opened": self.watches,
            "ended": self.ended_watches,
            "silence_ms": _ms(self.silence),
            "expected_ms": None if self.expected_silence is None else _ms(self.expected_silence),
        }

    def _outages(self) -> list[dict[str, object]]:
        return [
            {"client": view.client, "address": str(view.vip), "at_ms": _ms(gap.start - self.broken)}
            | {"outage_ms": _ms(gap.seconds), "over": gap.closed}
            for view in self.views
            for gap in view.gaps
            if gap.seconds > self.least
        ]

    def _silences(self) -> list[dict[str, object]]:
        return [
            {"address": str(each.vip), "at_ms": _ms(each.end - self.broken - each.since(self.disturbances))}
            | {"silence_ms": _ms(each.since(self.disturbances)), "over": each.closed}
            for each in self.silences
            if each.since(self.disturbances)
        ]


def failure(results: Sequence[DrillResult]) -> DrillError | None:
    """What went wrong in the first drill that did not end well."""
    for each in results:
        where = f"{each.node}: {each.kind.what}"
        if not each.healthy:
            what = "; ".join(["the cluster is not healthy afterwards", *each.after])
            return DrillError(what, node=each.node, state=f"what was broken is undone ({where})", fix=LOOK)
        if not each.in_time:
            what = f"the outage was {each.seen:.2f} s, longer than predicted: at most {each.expected:.2f} s"
            if late := _late(each):
                what = late
            elif each.seen <= each.expected + TOLERANCE:
                what = f"an outage of {each.seen:.2f} s or more was not over at the end"
            what = what if each.measured else "no VIP could be probed"
            what = f"a watch that only reads {_waited(each)}" if each.answered_in_time else what
            return DrillError(what, node=each.node, state=f"all is well again ({where})", fix=LOOK)
    return None


def _late(result: DrillResult) -> str:
    """The groups whose clients lost more than was predicted for them, as text."""
    late = [each for each in result.groups if result.outage_of(each) > each.expected + TOLERANCE]
    return "; ".join(
        f"the outage of {each.group} was {result.outage_of(each):.2f} s, longer than predicted: at most "
        f"{each.expected:.2f} s"
        for each in late
    )


def _waited(result: DrillResult) -> str:
    """How long a watch was silent, and why that may be."""
    told = f"heard nothing for {result.silence:.2f} s, longer than predicted: at most {result.expected_silence:.2f} s"
    back = [each for each in result.events if each.node == result.holder and each.state == "MASTER"]
    if result.kind.name in FORGETS and back and back[0].at - result.repaired < RELEARNED:
        told += f"; the VIPs returned before haproxy on {result.holder} knew its clients: preempt_delay = 10 is enough"
    return told


def together(results: Sequence[DrillResult]) -> Mapping[str, object]:
    """Several drills in one document: the longest outage, the sums of probes, and every drill by itself."""
    first, *_ = results
    return {
        "outage_ms": max(_ms(each.outage) for each in results),
        "expected_ms": max(_ms(each.expected) for each in results),
        "probes": sum(each.probes for each in results),
        "failed": sum(each.failed for each in results),
        "from": first.holder,
        "to": first.taker,
        "drills": [each.to_json() for each in results],
    }
