"""Whether each node can be reached, is as hosts.toml wants it, and has a haproxy that answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.node.drift import ResourceDiff
from lbdeploy.node.observation import Observation
from lbdeploy.node.paths import UNIT
from lbdeploy.node.resources import Sysctl
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.node.surroundings import UNDOES, later_sysctl

BROKEN = ("start", "unmask", "repair")  # what a service needs that does not run; all else is drift
HARMLESS = ("unhold", "record")  # package drift that does not affect clients


def reached(state: ClusterState) -> Iterator[Finding]:
    """The nodes that could not be observed."""
    for name, error in state.errors.items():
        yield Finding.failed(name, "reach", error.message, error.fix)


def as_desired(state: ClusterState) -> Iterator[Finding]:
    """Whether each resource is as hosts.toml wants it; if not, it is drift, or was never applied."""
    for each in state.observations:
        for part in state.plans[each.node.name].parts:
            undone = [*_undone(each, part.resource), *_undecided(each.node.name, part.state)]
            yield from (
                undone if undone and not part.changes else _drift(each.node.name, part, back=was_rolled_back(each))
            )


def _undone(seen: Observation, resource: Resource[Any]) -> Iterator[Finding]:
    """A kernel setting that is as it should be now, and will not be after the next boot, or `sysctl --system`."""
    if isinstance(resource, Sysctl) and (place := later_sysctl(seen, resource.name, resource.value, resource.conf)):
        detail, fix = (
            f"{place.file} line {place.number} {UNDOES}: {place.text}",
            f"remove that line; {resource.conf} has it",
        )
        yield Finding.failed(seen.node.name, "sysctl", detail, fix, subject=resource.name)


def _undecided(node: str, state: object) -> Iterator[Finding]:
    """A change that the node may still undo: what else is found there, is perhaps found for some seconds only."""
    if isinstance(state, JournalState) and state.undecided:
        detail = f"a change is under way there, and may still be undone: {state.about}"
        fix = typed("verify", "--wait", "60", after=" waits until that is decided")
        yield Finding.warning(node, "service", detail, fix, subject=UNIT)


def was_rolled_back(seen: Observation) -> bool:
    """Whether the last run on a node was a rollback, as it recorded the command: then it differs on purpose."""
    last = seen.states.get("service lbdeploy")
    command = str(last.about).rpartition(" UTC: ")[2] if last else ""
    return command.startswith("lbdeploy.rollback()") or "rollback" in command.split()


def _drift(node: str, part: ResourceDiff, *, back: bool) -> Iterator[Finding]:
    """The findings about one resource: the kind of resource is the check. `back`: the last run was a rollback."""
    kind, _, name = part.resource.id.partition(" ")
    soon = isinstance(part.state, ServiceState) and part.state.starting
    for change in part.changes:
        daemon = kind == "service" and change.action != "repair"
        fix: str = typed("up", after=f"; to see why: journalctl -u {change.name}" if daemon else "")
        if back and kind == "file":
            fix = "the last run was a rollback: also undo the change in hosts.toml; or to make it again: lbdeploy up"
        said = f"{change.name}{':' if change.reason.startswith('its ') else ''} {change.reason}"
        found = Finding.failed(node, kind, said, fix, subject=change.name, settling=soon)
        found = replace(found, drift=kind != "service" or change.action not in BROKEN)
        yield found.as_warning() if change.action in HARMLESS else found
    if not part.changes:
        yield Finding.passed(node, kind, _as_wanted(kind, name), subject=name)


def _as_wanted(kind: str, name: str) -> str:
    """A sentence about a resource that needs no change."""
    if kind == "file" and not name.startswith("/"):
        return f"there is {name}"
    if name == UNIT:
        return "its last run has ended"
    return f"{name} {'are' if kind == 'packages' else 'is'} as hosts.toml says"


def haproxy_answers(state: ClusterState) -> Iterator[Finding]:
    """Whether the haproxy of each node answers on its socket."""
    for each in state.observations:
        name = each.node.name
        if each.haproxy_answers:
            yield Finding.passed(name, "check", "haproxy answers on its socket")
        elif each.service("haproxy").running:
            detail, fix = "haproxy runs, but does not answer: it hangs", "systemctl restart haproxy there"
            yield Finding.failed(name, "check", detail, fix, settling=True)
        else:
            detail = "haproxy does not answer: it does not run"
            yield Finding.failed(name, "check", detail, typed("up"), settling=True)
