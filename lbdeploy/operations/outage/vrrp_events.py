"""Which node took over when: keepalived's lines in each node's journal, in the operator's time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lbdeploy.shell import Raw

_LINE = re.compile(r"^(?P<at>\d+\.\d+) \S+ Keepalived\S*: (?P<text>.*)$")
_STATE = re.compile(r"Entering (?P<state>MASTER|BACKUP|FAULT) STATE")
_CHECK = re.compile(r"Script `?(?P<script>[\w-]+)`? now returning (?P<status>\d+)")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a node at a moment (s, Unix, the operator's clock); `state` where VRRP's changed."""

    at: float
    node: str
    what: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a node's clock is ahead of the operator's, in seconds, and how well that is known: half a round trip."""

    ahead: float = 0.0
    within: float = 0.0

    @classmethod
    def compared(cls, asked: float, node: float, answered: float) -> Clock:
        """From one question: when it was asked and answered by the operator's clock, and the node's time in between.

        A difference within the uncertainty counts as none.
        """
        ahead, within = node - (asked + answered) / 2, (answered - asked) / 2
        return cls(ahead if abs(ahead) > within else 0.0, within)

    def here(self, node_time: float) -> float:
        """Converts a time of the node's clock to the operator's."""
        return node_time - self.ahead


NOW = Raw("date +%s.%N")


def script(since: float) -> Raw:
    """Prints keepalived's journal since a moment of the node's clock (s, Unix)."""
    return Raw(f"journalctl -u keepalived -o short-unix --no-pager --since @{int(since)} 2>/dev/null")


def read(output: str, node: str, clock: Clock, since: float) -> Iterator[Event]:
    """The events in what `script` printed, from `since` on (the operator's clock)."""
    for line in output.splitlines():
        if (found := _LINE.match(line)) and (at := clock.here(float(found["at"]))) >= since:
            if state := _STATE.search(found["text"]):
                yield Event(at, node, f"enters {state['state']}", state["state"])
            elif check := _CHECK.search(found["text"]):
                yield Event(at, node, f"{check['script']} returns {check['status']}")
