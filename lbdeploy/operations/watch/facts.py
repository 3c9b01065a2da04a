"""What is noted of a cluster, so that a change can be told: from what each look says anyway. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lbdeploy.common.debian import DAEMONS
from lbdeploy.node.parsers import ServerStat
from lbdeploy.operations.status import Snapshot, Status, age

Kind = Literal["good", "warn", "bad", ""]
Key = tuple[str, ...]
VRRP: dict[str, Kind] = {"MASTER": "good", "FAULT": "bad", "off": "bad"}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is so, in words. `age`: seconds for which it has been, where a node says so."""

    text: str
    kind: Kind = ""
    age: float | None = None


def facts(status: Status) -> dict[Key, Fact]:
    """What is known: nothing of the state of nodes that did not answer, but that they did not."""
    return dict(_facts(status))


def _facts(status: Status) -> Iterator[tuple[Key, Fact]]:
    for name, snapshot in status.nodes.items():
        yield ("reach", name), Fact(f"{name} answers", "good")
        yield from _of_node(name, snapshot)
    for name in status.errors:  # the error itself tells seconds, of which each would be a change
        yield ("reach", name), Fact(f"{name} does not answer", "bad")
    if not status.errors:  # otherwise a node that is not seen may hold them
        for placement in status.vips:
            kind: Kind = "good" if len(placement.holders) == 1 else "bad"
            yield ("vip", str(placement.vip.ip)), Fact(f"VIP {placement.vip.ip} is on {placement.told()}", kind)
    for stat in viewed(status):
        yield ("server", stat.frontend, stat.server), Fact(_server(stat), _kind(stat), stat.since)


def _of_node(name: str, snapshot: Snapshot) -> Iterator[tuple[Key, Fact]]:
    seen, vrrp = snapshot.seen, snapshot.vrrp
    yield ("vrrp", name), Fact(f"{name} is {snapshot.state}", VRRP.get(snapshot.state, ""), age(seen, vrrp.since))
    for daemon in DAEMONS:
        state = seen.service(daemon)
        text = f"{daemon} runs on {name}" if state.running else f"{daemon} is {state.active} on {name}"
        yield ("service", name, daemon), Fact(text, "" if state.running else "bad", age(seen, state.since))
    run = seen.states["service lbdeploy"]
    if run.run:
        yield ("run", name), Fact(f"{run.about} {'has changed' if run.ended else 'is changing'} {name}")


def viewed(status: Status) -> list[ServerStat]:
    """The servers as the holder's haproxy sees them; where no holder is seen, as any does."""
    seen = sorted(status.seen, key=lambda each: not each.holds_any(status.cluster))
    best = next((each for each in seen if each.haproxy_answers), None)
    known = {(frontend.name, server.name) for frontend, server in status.cluster.servers()}
    return [each for each in best.servers if (each.frontend, each.server) in known] if best else []


def _server(stat: ServerStat) -> str:
    # "DOWN 1/3" counts checks: each would be a change, and none is.
    return f"{stat.frontend}: {stat.server} is {stat.status.partition(' ')[0]} {stat.check_status}".strip()


def _kind(stat: ServerStat) -> Kind:
    return "good" if stat.up else "warn" if stat.drained else "bad"
