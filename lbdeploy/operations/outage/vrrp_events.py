"""Which node took over when, and when its haproxy lost a server: lines of its journal, in the operator's time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lbdeploy.common.shell import Raw
from lbdeploy.operations.outage.clocks import Clock

_LINE = re.compile(r"^(?P<at>[0-9]{1,11}\.[0-9]{1,9}) \S+ (?:Keepalived|haproxy)\S*: (?P<text>.*)$")
_STATE = re.compile(r"(?:\((?P<instance>\S+)\) )?Entering (?P<state>MASTER|BACKUP|FAULT) STATE")
_CHECK = re.compile(r"Script `?(?P<script>[\w-]+)`? now returning (?P<status>\d+)")

_SERVER = re.compile(r"\bServer (?P<server>[^\s/]+/[^\s/]+) (?:\([^)]*\) )?is (?P<status>UP|DOWN)\b")

AGAIN = 0.5  # seconds within which the same words mean the same event


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a node at a moment (s, Unix, the operator's clock); `state` where VRRP's changed.

    `instance`: that of which it changed, as keepalived.conf calls it.
    """

    at: float
    node: str
    what: str
    state: str = ""
    instance: str = ""


def script(since: float, *, servers: bool = False) -> Raw:
    """Prints keepalived's journal since a moment of the node's clock (s, Unix); with `servers`, haproxy's, too."""
    units = "-u keepalived" + (" -u haproxy" if servers else "")
    return Raw(f"journalctl {units} -o short-unix --no-pager --since @{int(since)} 2>/dev/null")


def read(output: str, node: str, clock: Clock, since: float) -> Iterator[Event]:
    """The events in what `script` printed, from `since` on (the operator's clock). haproxy says most things twice."""
    last: dict[str, float] = {}
    for event in _all(output, node, clock, since):
        if event.state or event.at - last.get(event.what, 0.0) > AGAIN:
            yield event
        last[event.what] = event.at


def _all(output: str, node: str, clock: Clock, since: float) -> Iterator[Event]:
    for line in output.splitlines():
        if (found := _LINE.match(line)) and (at := clock.here(float(found["at"]))) >= since:
            if state := _STATE.search(found["text"]):
                yield Event(at, node, f"enters {state['state']}", state["state"], state["instance"] or "")
            elif check := _CHECK.search(found["text"]):
                yield Event(at, node, f"{check['script']} returns {check['status']}")
            elif server := _SERVER.search(found["text"]):
                yield Event(at, node, f"haproxy calls {server['server']} {server['status']}")
