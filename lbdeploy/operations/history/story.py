"""One story of a cluster's past, from what several nodes and this machine remember. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf

from lbdeploy.operations.generations import Generation
from lbdeploy.operations.generations import runs as in_order
from lbdeploy.operations.history.event import PastEvent
from lbdeploy.operations.history.laptop import LoggedCommand, changes
from lbdeploy.operations.history.node import Past

NEAR = 90.0  # seconds by which a run's two records may differ: the clocks of operator and node, and connecting
SLACK = 1.0  # seconds after a command within which a move is its doing: as well as clocks are compared
_ABOUT = re.compile(r"^(?P<who>\S+) \(process (?P<process>\d+)\), since [0-9: -]+ UTC: (?P<typed>.*)$")


def story(pasts: Mapping[str, Past], here: Sequence[LoggedCommand], me: str) -> tuple[PastEvent, ...]:
    """All events in order: runs as the nodes count them, all else by time."""
    acts = [*_runs(pasts, here, me)]
    acts += _typed_here(here, {each.at for each in acts if each.who == me}, me)
    acts += _drills_elsewhere(pasts, acts)
    moves = [_caused(each, acts) for each in _moves(pasts)]
    counted = [_with_moves(each, moves) for each in acts]
    order = _as_counted(pasts, counted)
    return tuple(sorted([*counted, *moves], key=lambda each: order.get(each.id, (each.at, 0))))


def _runs(pasts: Mapping[str, Past], here: Sequence[LoggedCommand], me: str) -> Iterator[PastEvent]:
    """What the nodes have recorded, one event for a run on several nodes."""
    for about in dict.fromkeys(about for past in pasts.values() for about in _abouts(past)):
        found = _ABOUT.match(about)
        who, typed = (found["who"], found["typed"]) if found else ("", about)
        ids = {each.id for past in pasts.values() for each in past.generations if each.about == about}
        run = min(ids, default="")
        starts = [at for past in pasts.values() for at, said in past.started if _same(said, about)]
        at = min(starts, default=_time(run) if run else 0.0)
        session = _session(here, found, at) if who == me else None
        changed = tuple((name, path) for name, past in pasts.items() for path in past.changed(run))
        yield PastEvent(
            session.at if session else at,
            session.command if session else _command(typed),
            who,
            typed,
            tuple(name for name, past in pasts.items() if about in _abouts(past)),
            changed or tuple(changes(session.ended) if session else ()),
            session.ended if session else {},
            run,
            until=session.until if session else _ended(pasts, about, at),
        )


def _abouts(past: Past) -> list[str]:
    """Who began each run that the node remembers; the journal may have cut it, or its last dot."""
    kept = [each.about for each in past.generations]
    return kept + [said for _, said in past.started if not any(_same(said, each) for each in kept)]


def _same(said: str, about: str) -> bool:
    return said.rstrip(".") == about.rstrip(".")


def _session(here: Sequence[LoggedCommand], found: re.Match[str] | None, at: float) -> LoggedCommand | None:
    """This machine's own record of a run."""
    mine = [each for each in here if found and each.process == int(found["process"]) and abs(each.at - at) < NEAR]
    return min(mine, key=lambda each: abs(each.at - at), default=None)


def _typed_here(here: Sequence[LoggedCommand], told: Collection[float], me: str) -> Iterator[PastEvent]:
    """What was done from here, and is in no node's record: drills, handovers, runs that changed nothing or failed."""
    for each in here:
        if each.at not in told:
            changed = tuple(changes(each.ended))
            nodes = tuple(dict.fromkeys(node for node, _ in changed)) or _named(each)
            yield PastEvent(each.at, each.command, me, each.typed, nodes, changed, each.ended, until=each.until)


def _named(session: LoggedCommand) -> tuple[str, ...]:
    """The nodes that a drill or a handover was about."""
    return tuple(dict.fromkeys(str(session.ended[key]) for key in ("from", "node", "to") if session.ended.get(key)))


def _drills_elsewhere(pasts: Mapping[str, Past], acts: Sequence[PastEvent]) -> Iterator[PastEvent]:
    """Drills that nobody did from here, by the repair that the node had armed."""
    mine = [each for each in acts if each.kind == "drill"]
    for name, past in pasts.items():
        for at in past.drills:
            if not any(each.at - SLACK <= at <= each.until + SLACK for each in mine):
                yield PastEvent(at, "drill", nodes=(name,), until=at + NEAR)


def _moves(pasts: Mapping[str, Past]) -> Iterator[PastEvent]:
    """Each time that another node became the holder."""
    states = sorted((at, name, state, of) for name, past in pasts.items() for at, state, of in past.states)
    holders: dict[str, str] = {}  # by VRRP instance: each group of VIPs has one
    for at, name, state, of in states:
        if state == "MASTER" and name != holders.get(of, ""):
            yield PastEvent(at, "move", nodes=(name,), to=name, former=holders.get(of, ""))
            holders[of] = name


def _caused(move: PastEvent, acts: Sequence[PastEvent]) -> PastEvent:
    """A move, with the command in whose course it fell."""
    causes = [each for each in acts if each.at <= move.at <= each.until + SLACK]
    cause = max(causes, key=lambda each: each.at, default=None)
    return replace(move, during=(cause.typed or f"a {cause.kind}") if cause else "")


def _with_moves(act: PastEvent, moves: Sequence[PastEvent]) -> PastEvent:
    within = [each for each in moves if each.former and act.at <= each.at <= act.until + SLACK]
    return replace(act, moves=len(within))


def _as_counted(pasts: Mapping[str, Past], acts: Sequence[PastEvent]) -> dict[str, tuple[float, int]]:
    """By run, the time by which it is ordered, and its number: never before a run that the nodes counted before it."""
    generations: dict[str, Sequence[Generation]] = {name: past.generations for name, past in pasts.items()}
    at = {each.id: each.at for each in acts if each.id}
    found: dict[str, tuple[float, int]] = {}
    latest = 0.0
    for number, run in enumerate(reversed(in_order(generations)), 1):
        latest = max(latest, at.get(run, latest))
        found[run] = latest, number
    return found


def _ended(pasts: Mapping[str, Past], about: str, at: float) -> float:
    """When a run that began at `at` had ended on the nodes that took part, as far as they remember."""
    return max((end for past in pasts.values() for end in _ends(past, about)), default=at)


def _ends(past: Past, about: str) -> Iterator[float]:
    """When each stage of a run ended on a node: before its next one begins. As it began, where that is not known."""
    for start, said in past.started:
        if _same(said, about):
            following = min((each for each, _ in past.started if each > start), default=inf)
            yield min((end for end in past.ended if start <= end < following), default=start)


def _command(typed: str) -> str:
    """The command in what was typed, or the function of the library."""
    words = typed.replace("lbdeploy.", "").replace("()", "").split()
    known = ("up", "rollback", "rebuild", "down", "handover", "drill", "drain", "undrain", "servers", "verify", "plan")
    return next((word for word in words if word in known), "run")


def _time(run: str) -> float:
    """The time in a run's id, as its operator's clock said; 0 where it has none."""
    try:
        return datetime.strptime(run, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
