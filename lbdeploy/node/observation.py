"""Observing a node in one round trip: the probes of all its resources, and of its health, joined into one script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lbdeploy.common.shell import Command, Raw, cmd, here, nonce
from lbdeploy.config.model import Address, Cluster, Node
from lbdeploy.errors import AnswerError
from lbdeploy.events import excerpt
from lbdeploy.node import keepalived_state
from lbdeploy.node.answers import KEPT, seconds, understood
from lbdeploy.node.health_probes import health
from lbdeploy.node.keepalived_state import ToldState, told_state
from lbdeploy.node.parsers import (
    Answered,
    Link,
    Neighbour,
    Room,
    ServerStat,
    parse_answered,
    parse_greeted,
    parse_ip_a,
    parse_neighbours,
    parse_room,
    parse_show_stat,
)
from lbdeploy.node.paths import JOURNAL
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources.base import Answer, Resource
from lbdeploy.node.resources.drains import Drain, parse
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import Journal, begun_meanwhile
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.server_state import ID as SERVER_STATE_ID
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.node.vrrp_priority import effective

FAULT_STATE = "FAULT"
LAST_RUN = "the last run, at last"  # the name of the probe that ends a look
T = TypeVar("T")

PRELUDE = "LC_ALL=C\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport LC_ALL PATH\n"


@dataclass(frozen=True, slots=True)
class GroupState:
    """A group on a node: as in Observation, of the group alone. `priority_offset` is added to the node's own."""

    priority_offset: int = 0
    offset_since: float = 0.0
    keepalived: keepalived_state.KeepalivedState = field(default_factory=keepalived_state.KeepalivedState)


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of a node at one moment. `states` are by resource id; `now` is the node's clock (s, Unix).

    `lacks` are checks that it does not pass, of those that need no program to run. `own` says for each frontend
    whether anything behind it answers through this node's own haproxy, VIPs or not. `priority_offset` is what a
    handover adds to the node's priority, and `offset_since` the time (s, Unix) since when. `keepalived` is what that
    reports; it is asked only where the cluster tracks more than haproxy. `metrics`: where haproxy should serve its
    metrics, and whether it does. `told`: how far the operator's scripts were told of keepalived's state; `reported` is
    what it reports itself, asked where there are such scripts, too.
    `lost_address` is the node's own address for VRRP, where it does not have it. `groups` has what is of each group,
    where hosts.toml has any.
    """

    node: Node
    now: float
    states: Mapping[str, Any]
    links: tuple[Link, ...] = ()
    servers: tuple[ServerStat, ...] = ()
    haproxy_answers: bool = False
    answered: tuple[Answered, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    apt: bool = True
    own: Mapping[str, bool] = field(default_factory=dict)
    room: tuple[Room, ...] = ()
    lacks: frozenset[str] = frozenset()
    priority_offset: int = 0
    offset_since: float = 0.0
    keepalived: keepalived_state.KeepalivedState = field(default_factory=keepalived_state.KeepalivedState)
    marks: Mapping[str, Answer] = field(default_factory=dict)
    metrics: tuple[str, bool] | None = None
    told: ToldState | None = None
    reported: keepalived_state.KeepalivedState = field(default_factory=keepalived_state.KeepalivedState)
    lost_address: Address | None = None
    groups: Mapping[str, GroupState] = field(default_factory=dict)

    def of(self, part: Cluster) -> Observation:
        """The same, as far as a part of the cluster goes: with the node's priority and state in that group."""
        if not part.group:
            return self
        own = self.groups.get(part.group, GroupState())
        return replace(
            self,
            node=part.node(self.node.name),
            priority_offset=self.priority_offset + own.priority_offset,
            offset_since=max(self.offset_since, own.offset_since),
            keepalived=own.keepalived,
        )

    def service(self, unit: str) -> ServiceState:
        """The state of a service; one that was not observed counts as not installed."""
        state = self.states.get(f"service {unit}")
        return state if isinstance(state, ServiceState) else ServiceState()

    @property
    def drains(self) -> tuple[Drain, ...]:
        """The servers that were drained on this node."""
        state = self.states.get(SERVER_STATE_ID)
        return parse(state.content) if isinstance(state, FileState) else ()

    def drain(self, frontend: str, server: str) -> Drain | None:
        """The record of a server that was drained on this node."""
        return next((each for each in self.drains if each.pair == (frontend, server)), None)

    @property
    def packages(self) -> dict[str, str]:
        """The versions of the packages that are installed, of those that were asked for."""
        states = [each for each in self.states.values() if isinstance(each, PackageState)]
        return {name: version for each in states for name, version in each.versions.items()}

    @property
    def priority(self) -> int:
        """The priority that keepalived uses while its check of haproxy succeeds."""
        return effective(self.node.priority, self.priority_offset + self.tracked)

    @property
    def tracked(self) -> int:
        """What the operator's own files and scripts add to the priority, as far as keepalived has reported it."""
        if self.keepalived.priority is None or self.keepalived.state == FAULT_STATE:
            return 0
        return self.keepalived.priority - effective(self.node.priority, self.priority_offset)

    def doubt(self, ip: object) -> str:
        """Why an address that the node has can't be used, as the kernel's flag; "" where it can."""
        return next((why for link in self.links for address, why in link.doubtful.items() if address == ip), "")

    def holds(self, ip: Address) -> list[str]:
        """The interfaces on which this node has the address."""
        number = int(ip)  # compared first: each address without its prefix would be an object of its own
        found = [(link.name, each) for link in self.links for each in link.addresses if int(each) == number]
        return [name for name, each in found if each.ip == ip]

    def holds_any(self, cluster: Cluster) -> bool:
        """Whether this node has any of the cluster's VIPs."""
        return any(self.holds(vip.ip) for vip in cluster.vips)

    def holds_all(self, cluster: Cluster) -> bool:
        """Whether this node has all of the cluster's VIPs."""
        return all(self.holds(vip.ip) for vip in cluster.vips)


class ProbeScript:
    """The probes of a node's `resources`, and `more` by name, joined into one script, and the reader of its output."""

    def __init__(self, node: Node, resources: Sequence[Resource[Any]], more: Mapping[str, Raw]) -> None:
        self.node = node
        self.resources = resources
        self.probes = {resource.id: resource.probe() for resource in resources} | dict(more)
        self.nonce = nonce()  # so that no file content can be mistaken for a mark

    def script(self) -> str:
        """POSIX sh, to be run as root; it changes nothing.

        sed puts together what the probes print: each piece of it would be a packet, which wakes both ends up.
        """
        return f"{self.head()}{{\n{''.join(self.sections())}}} | sed ''\n"

    def head(self) -> str:
        """What comes before all probes: observe.sh, which asks once for what several resources' probes need."""
        units = [unit for each in self.resources for unit in each.units]
        files = [file for each in self.resources for file in each.files]
        settings = [setting for each in self.resources for setting in each.settings]
        lists = {"units": units, "files": files, "settings": settings}
        given = "".join(f"{name}={here(' '.join(words))}\n" for name, words in lists.items())
        return f"{PRELUDE}{given}{remote_text('observe.sh')}"

    def sections(self) -> list[str]:
        """The script, probe by probe. What is more than a command gets a shell of its own, which it may end."""
        return [
            f"echo {self.nonce} begin {index}\n"
            f"{_apart(probe)} 2>/dev/null </dev/null\n"
            f"printf '\\n%s end %d\\n' {self.nonce} $?\n"
            for index, probe in enumerate(self.probes.values())
        ]

    def answers(self, output: str) -> dict[str, Answer]:
        """What each probe answered. Raises AnswerError where the output is incomplete."""
        answers = [*self._answers(output)]
        if len(answers) != len(self.probes):
            raise AnswerError(
                "the observing script did not run to its end",
                node=self.node.name,
                state="looking changes nothing",
                fix="lbdeploy -v plan shows what the node said instead",
                detail=excerpt(output, KEPT),
            )
        return dict(zip(self.probes, answers, strict=True))

    def _answers(self, output: str) -> Iterator[Answer]:
        """The answers, read in one pass over the output, however long it is, and whatever marks it repeats."""
        for section in output.split(f"{self.nonce} begin ")[1:]:
            text, ended, rest = section.partition("\n")[2].partition(f"\n{self.nonce} end ")
            status = rest.partition("\n")[0]
            if ended and re.fullmatch(r"[0-9]{1,3}", status):
                yield Answer(text, int(status))

    def states(self, marks: Mapping[str, Answer]) -> dict[str, Any]:
        """The state of each resource, by id. Raises AnswerError where an answer makes no sense."""
        return {each.id: self.understood(each.id, each.read, marks[each.id]) for each in self.resources}

    def understood(self, what: str, read: Callable[[Answer], T], answer: Answer) -> T:
        """The result of `read` for a probe's answer. Raises AnswerError."""
        return understood(self.node.name, what, read, answer, answer.output)

    def now(self, marks: Mapping[str, Answer]) -> float:
        """The node's clock (s, Unix). Raises AnswerError."""
        return self.understood("date", lambda answer: seconds(answer.output or "0"), marks["now"])


def _apart(probe: Raw) -> str:
    """In braces, so that what is redirected includes what the shell itself says, as bash does of a signal."""
    return f"{{\n{probe}\n}}" if isinstance(probe, Command) else f"(\n{probe}\n)"


class NodeProbeScript(ProbeScript):
    """The observing script for one node, and the reader of what it prints."""

    def __init__(
        self, cluster: Cluster, node: Node, resources: Sequence[Resource[Any]], more: Mapping[str, Raw] | None = None
    ) -> None:
        last = {LAST_RUN: cmd("cat", JOURNAL)}
        super().__init__(node, resources, health(cluster, node) | dict(more or {}) | last)
        self.parts, self.tracks = cluster.parts, cluster.vrrp.tracks
        self.address, self.interface = node.addresses[cluster.vrrp.network], node.interfaces[cluster.vrrp.network]

    def states(self, marks: Mapping[str, Answer]) -> dict[str, Any]:
        """The same, where a run that has begun meanwhile is in the middle of its change."""
        found = super().states(marks)
        if (run := Journal().id) in found:
            found[run] = begun_meanwhile(found[run], marks[run], marks[LAST_RUN])
        return found

    def read(self, output: str) -> Observation:
        """The observation from the script's output. Raises AnswerError where that is incomplete, or makes no sense."""
        marks = self.answers(output)
        offset, since = tracked_file(marks["handover"].output)
        links = parse_ip_a(marks["ip a"].output)
        groups = group_states(self.parts, marks)
        reported = _keepalived(self.parts[0], marks, alone=not groups)
        return Observation(
            node=self.node,
            now=self.now(marks),
            states=self.states(marks),
            links=links,
            servers=parse_show_stat(marks["show stat"].output),
            haproxy_answers=marks["show stat"].output.startswith("# "),
            answered=parse_answered(marks["vips"].output),
            neighbours=parse_neighbours(marks["neighbours"].output),
            apt=marks["apt"].status == 0,
            own=parse_greeted(marks["vips"].output),
            room=parse_room(marks["room"].output),
            lacks=frozenset(marks["lacks"].output.split()),
            priority_offset=offset,
            offset_since=since,
            keepalived=reported if self.tracks else keepalived_state.KeepalivedState(),
            reported=reported,
            groups=groups,
            marks=marks,
            metrics=_told_metrics(marks.get("metrics")),
            told=told_state(marks["told"].output) if "told" in marks else None,
            lost_address=None if self._has_address(links) else self.address,
        )

    def _has_address(self, links: Sequence[Link]) -> bool:
        return any(link.name == self.interface and each.ip == self.address for link in links for each in link.addresses)


def group_states(parts: Sequence[Cluster], marks: Mapping[str, Answer]) -> dict[str, GroupState]:
    """What the probes tell of each group; nothing where there are none."""
    return {
        part.group: GroupState(
            *tracked_file(marks[f"handover {part.group}"].output), _keepalived(part, marks, alone=False)
        )
        for part in parts
        if part.group
    }


def _keepalived(part: Cluster, marks: Mapping[str, Answer], *, alone: bool) -> keepalived_state.KeepalivedState:
    """What keepalived reports of a part's instance, where it was asked."""
    if "vrrp" not in marks:
        return keepalived_state.KeepalivedState()
    return keepalived_state.parse_vrrp(marks["vrrp"].output, part.instance, alone=alone)


def tracked_file(text: str) -> tuple[int, float]:
    """The number that keepalived reads from the handover file, 0 if none; and since when it is there (s, Unix)."""
    found = re.fullmatch(r"(-?[0-9]{1,6}) ([0-9]{1,11}[.,]?[0-9]{0,9})", text.strip())
    return (int(found[1]), float(found[2].replace(",", "."))) if found else (0, 0.0)


def _told_metrics(answer: Answer | None) -> tuple[str, bool] | None:
    if answer is None:
        return None
    place, _, status = answer.output.partition("\n")
    return place, bool(re.match(r"HTTP/1\.[01] 200 ", status))
