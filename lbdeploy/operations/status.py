"""The present state of the cluster: which node holds what, as keepalived and haproxy report. Pure, except `Look`.

One small script a node, so that it can be run every two seconds. See docs/decisions/019-status.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from lbdeploy.common.debian import DAEMONS
from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError
from lbdeploy.health.digest.causes import Cause, causes
from lbdeploy.health.digest.overview import Overview, State, overview
from lbdeploy.health.drained import drained
from lbdeploy.health.finding import Finding
from lbdeploy.health.nodes import reached
from lbdeploy.health.notified import notified
from lbdeploy.health.placement import Placement
from lbdeploy.health.servers import backends, servers
from lbdeploy.health.state import ClusterState
from lbdeploy.health.vips import holder, placed, tracked
from lbdeploy.node.health_probes import handovers, health
from lbdeploy.node.keepalived_state import PROBE, KeepalivedState, parse_vrrp, told_state
from lbdeploy.node.observation import Observation, ProbeScript, group_states, tracked_file
from lbdeploy.node.parsers import Load, parse_ip_a, parse_loads, parse_show_stat
from lbdeploy.node.resources import Journal, ServerState, Service
from lbdeploy.node.resources.base import Answer, Resource

HEALTH = ("now", "ip a", "show stat", "handover", "told")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A node at one moment. `groups`: what keepalived reports of each group, where hosts.toml has any; `vrrp` is of one
    of them then, one that is MASTER if any is.
    """

    seen: Observation
    vrrp: KeepalivedState
    loads: tuple[Load, ...]
    groups: Mapping[str, KeepalivedState] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return self.said(self.vrrp)

    @property
    def elections(self) -> Mapping[str, KeepalivedState]:
        """What keepalived reports, by group; by "" where hosts.toml has none."""
        return self.groups or {"": self.vrrp}

    def said(self, vrrp: KeepalivedState) -> str:
        """A state in one word, also where keepalived reports none."""
        return vrrp.state or ("unknown" if self.seen.service("keepalived").running else "off")

    def to_json(self) -> dict[str, object]:
        """An entry of `nodes`; ages are in seconds."""
        run = self.seen.states["service lbdeploy"]
        return {
            "node": self.seen.node.name,
            "reachable": True,
            "vrrp": self._vrrp(self.vrrp),
            **({"groups": [{"group": name, **self._vrrp(each)} for name, each in self.groups.items()]}
               if self.groups else {}),
            "services": [
                {"name": name, "active": state.active, "for_s": age(self.seen, state.since) if state.running else None}
                for name in DAEMONS
                for state in [self.seen.service(name)]
            ],
            "frontends": [
                {"frontend": each.frontend, "sessions": each.sessions, "rate": each.rate, "total": each.total}
                for each in self.loads
            ],
            "run": {"id": run.run, "about": run.about, "ended": run.ended} if run.run else None,
        }  # fmt: skip

    def _vrrp(self, vrrp: KeepalivedState) -> dict[str, object]:
        return {"state": self.said(vrrp), "priority": vrrp.priority, "for_s": age(self.seen, vrrp.since)}


@dataclass(frozen=True, slots=True)
class Status:
    """The nodes that were asked: snapshots of those that answered, and the errors of the others.

    Where none answered, nothing is known about the VIPs.
    """

    cluster: Cluster
    nodes: Mapping[str, Snapshot]
    errors: Mapping[str, LbdeployError] = field(default_factory=dict)

    @property
    def seen(self) -> list[Observation]:
        return [each.seen for each in self.nodes.values()]

    @property
    def _state(self) -> ClusterState:
        return ClusterState(self.cluster, self.seen, errors=self.errors)

    @property
    def overview(self) -> Overview:
        """The cluster as a whole, with the time for which the one holder has been MASTER."""
        found = overview(self._state)
        holder = self.nodes.get(found.holders[0]) if len(found.holders) == 1 else None
        master = holder and holder.vrrp.state == "MASTER"
        return found.since(age(holder.seen, holder.vrrp.since) if holder and master else None)

    @property
    def state(self) -> State:
        """How the cluster is, in one word."""
        return self.overview.state(self.warnings)

    @property
    def causes(self) -> list[Cause]:
        """What is not as it should be, each cause once, with what follows from it."""
        return causes(self.warnings, self.overview)

    @property
    def vips(self) -> list[Placement]:
        return list(self._state.vips)

    @property
    def warnings(self) -> list[Finding]:
        """What is not as it should be, the worst first."""
        found = [each for each in self._findings() if not each.ok]
        return sorted(found, key=lambda each: each.is_warning)

    def _findings(self) -> Iterator[Finding]:
        for judge in (reached, placed, holder, tracked):
            yield from judge(self._state)
        yield from chain.from_iterable(self._of(each) for each in self.nodes.values())
        yield from backends(self._state)
        yield from servers(self._state)
        yield from drained(self._state)
        yield from notified(self._state)

    def _of(self, snapshot: Snapshot) -> Iterator[Finding]:
        seen = snapshot.seen
        name = seen.node.name
        for daemon in DAEMONS:
            if not seen.service(daemon).running:
                fix = typed("up", before=f"journalctl -u {daemon} -n 20 there, or: ")
                detail = f"{daemon} is {seen.service(daemon).active}"
                yield Finding.failed(name, "service", detail, fix, subject=daemon)
        for part in self.cluster.parts:
            yield from _election(part, snapshot)
        run = seen.states["service lbdeploy"]
        if not run.ended:
            doing = "is under way" if run.active else "was interrupted"
            yield Finding.warning(name, "run", f"the run {run.run} of {run.about} {doing}", typed("plan"))

    @property
    def groups(self) -> list[dict[str, object]]:
        """Each group of VIPs, the node that is preferred for it, and those that hold any of it."""
        return [
            {"group": part.group, "router_id": part.vrrp.router_id, "preferred": part.preferred.name,
             "holders": list(dict.fromkeys(name for each in self.vips if each.vip.group == part.group
                                           for name in each.holders))}
            for part in self.cluster.parts if part.group
        ]  # fmt: skip

    def to_json(self) -> dict[str, object]:
        """`nodes`, `vips`, `servers`, `summary`, and `warnings` in the shape of verify's findings."""
        away = [{"node": name, "reachable": False, "error": each.to_json()} for name, each in self.errors.items()]
        return {
            "nodes": [*(each.to_json() for each in self.nodes.values()), *away],
            "vips": [each.to_json() for each in self.vips],
            "servers": [
                {"node": each.node.name, "frontend": s.frontend, "server": s.server, "status": s.status,
                 "check_status": s.check_status, "for_s": s.since, "sessions": s.sessions,
                 "drained": drain.to_json() if (drain := each.drain(s.frontend, s.server)) else None}
                for each in self.seen for s in each.servers
            ],
            "warnings": [each.to_json() for each in self.warnings],
            "summary": self.overview.to_json(self.warnings),
            **({"groups": self.groups} if self.groups else {}),
        }  # fmt: skip


def _election(part: Cluster, snapshot: Snapshot) -> Iterator[Finding]:
    """What is not as it should be with a node in a part of the cluster, by what its keepalived reports."""
    seen, vrrp = snapshot.seen, snapshot.groups.get(part.group, snapshot.vrrp)
    name, group = seen.node.name, part.group
    if vrrp.state == "FAULT":
        fix = typed("verify", after=" says why, or there: journalctl -u keepalived -n 20")
        detail = f"keepalived is in FAULT state: it can't hold {part.its_vips}"
        yield Finding.failed(name, "vrrp", detail, fix, subject=group)
    holds = seen.holds_any(part)
    if vrrp.state in ("MASTER", "BACKUP") and holds != (vrrp.state == "MASTER"):
        what = ("has VIPs" if holds else "has no VIP") + (f" of {group}" if group else "")
        detail = f"keepalived says {vrrp.state}, but it {what}"
        yield Finding.failed(name, "vrrp", detail, typed("verify"), subject=group)


class Look(ProbeScript):
    """The script that looks at a node, and the reader of what it prints."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.cluster = cluster
        servers = tuple((frontend.name, each.name, each.port) for frontend, each in cluster.servers())
        resources: list[Resource[Any]] = [Journal(), ServerState(servers), *(Service(name) for name in DAEMONS)]
        checks = health(cluster, node)
        asked = (*HEALTH, *handovers(cluster))
        super().__init__(node, resources, {name: checks[name] for name in asked if name in checks} | {"vrrp": PROBE})

    def read(self, output: str) -> Snapshot:
        """The snapshot from the script's output. Raises AnswerError where that is incomplete, or makes no sense."""
        marks = self.answers(output)
        parts, text = self.cluster.parts, marks["vrrp"].output
        states = {part.group: parse_vrrp(text, part.instance, alone=not part.group) for part in parts}
        vrrp = next((each for each in states.values() if each.state == "MASTER"), states[parts[0].group])
        tracks = self.cluster.vrrp.tracks
        offset, since = tracked_file(marks["handover"].output)
        seen = Observation(
            node=self.node,
            now=self.now(marks),
            states=self.states(marks),
            links=parse_ip_a(marks["ip a"].output),
            servers=parse_show_stat(marks["show stat"].output),
            haproxy_answers=marks["show stat"].output.startswith("# "),
            priority_offset=offset,
            offset_since=since,
            told=told_state(marks["told"].output) if "told" in marks else None,
            keepalived=states[parts[0].group] if tracks else KeepalivedState(),
            reported=states[parts[0].group],
            groups=group_states(parts, marks if tracks else {**marks, "vrrp": Answer("", 1)}),
        )
        groups = states if self.cluster.vrrp.groups else {}
        return Snapshot(seen, vrrp, parse_loads(marks["show stat"].output), groups)


def age(seen: Observation, since: float) -> int | None:
    """Seconds since then by the node's own clock; None where the start is unknown."""
    return max(0, round(seen.now - since)) if since else None


def together(cluster: Cluster, results: Mapping[str, Snapshot | LbdeployError]) -> Status:
    """The status, from the result of each node."""
    errors = {name: each for name, each in results.items() if isinstance(each, LbdeployError)}
    return Status(cluster, {name: each for name, each in results.items() if isinstance(each, Snapshot)}, errors)


def looks(cluster: Cluster, nodes: Sequence[Node]) -> dict[str, Look]:
    """The observing script for each node, by name."""
    return {node.name: Look(cluster, node) for node in nodes}
