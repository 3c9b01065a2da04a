"""Removing a load balancer from a node: what the node should have then, and the steps to get there. Pure.

The old files and services are restored in a transaction like any other, which is undone unless confirmed. Only after
that, and only if requested, packages are removed, which can't be undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from lbdeploy.common.shell import cmd, here
from lbdeploy.node.drift import NodePlan, ResourceDiff
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources import Gone, Journal, Service
from lbdeploy.node.resources.base import Change, Resource
from lbdeploy.node.resources.original import OriginalFile, OriginalService, OriginalSysctl
from lbdeploy.node.resources.purge import Purge
from lbdeploy.planning.desired import (
    APT,
    CHECK_HAPROXY,
    HAPROXY_CFG,
    HAPROXY_UNIT,
    KEEPALIVED_CONF,
    KEEPALIVED_UNIT,
    NO_FIREWALL,
    NO_LEFTOVERS,
    PACKAGES,
    SYSCTL_CONF,
    TICKLE_CLIENTS,
)
from lbdeploy.rollout.transaction import Task, dropped, go_away

FILES = (SYSCTL_CONF, HAPROXY_CFG, CHECK_HAPROXY, TICKLE_CLIENTS, HAPROXY_UNIT, KEEPALIVED_UNIT, KEEPALIVED_CONF)
SYSCTLS = ("net.ipv4.ip_nonlocal_bind", "net.ipv6.ip_nonlocal_bind")
R = TypeVar("R", bound=Resource[Any])


def original(*, purge: bool) -> list[Resource[Any]]:
    """What a node should have once lbdeploy is gone; also its daemons, only to observe what they do now."""
    return [
        Journal(),
        Service("haproxy", watches=(HAPROXY_CFG,)),
        Service("keepalived", watches=(KEEPALIVED_CONF,)),
        *(OriginalFile(path) for path in FILES),
        Gone("none left over in /etc/apt", APT),
        NO_FIREWALL,
        NO_LEFTOVERS,
        *(OriginalSysctl(name, SYSCTL_CONF) for name in SYSCTLS),
        OriginalService("haproxy", reads=(HAPROXY_CFG, HAPROXY_UNIT)),
        OriginalService("keepalived", reads=(KEEPALIVED_CONF, KEEPALIVED_UNIT)),
        *([Purge((*PACKAGES, "nftables"))] if purge else []),
    ]


def leaving(plan: NodePlan) -> NodePlan:
    """The part of a node's plan that can be undone: files, kernel settings and services as they were."""
    return plan.only(_gives_back)


def purging(plan: NodePlan) -> NodePlan:
    """The part of a node's plan that can't be undone."""
    return plan.only(lambda resource, _: isinstance(resource, Purge))


def leave(task: Task, vips: Sequence[str], *, purge: bool) -> Task:
    """The same task with the steps of a node that leaves. `vips`: the cluster's. `purge`: packages are to follow."""
    plan = task.plan
    files, services = list(_needing(plan, OriginalFile)), list(_needing(plan, OriginalService))
    tools = (f"more={'packages' if purge else cmd('')}", remote_text("remove.sh"))
    script = (
        *go_away(task),
        "step write the files",
        *(part.resource.fix(part.state, list(part.changes)) for _, part in files),
        f"keep {cmd(*_paths(plan), *dropped(plan))}",
        *(f"undo_last {here(f'systemctl restart {each.unit}')}" for each, part in services if part.state[0].running),
        *(line for each, part in reversed(services) for line in _run(each, part, "stop")),
        f"release {cmd(*vips)}",
        *(_replace(file, part) for file, part in files if file.path != SYSCTL_CONF),
        *(f"drop {cmd(path)}" for path in dropped(plan, late=True)),
        "run systemctl daemon-reload",
        *(line for each, part in services for line in _run(each, part, "start", "restart")),
        f"await {task.confirm} {task.linger}",
        *(part.resource.fix(part.state, list(part.changes)) for gone, part in _needing(plan, Gone) if not gone.late),
        # What takes effect at the next boot comes after the confirmation: a boot before it must not change the node.
        *(_replace(file, part) for file, part in files if file.path == SYSCTL_CONF),
        *(line for each, part in _needing(plan, OriginalSysctl) for line in _set(each, part)),
        *(line for each, part in services for line in _at_boot(each, part)),
    )
    return replace(task, script=script, tools=tools)


def purge(plan: NodePlan) -> Task:
    """The task that removes packages and lbdeploy's own folder, and can't be undone."""
    fixes = (part.resource.fix(part.state, list(part.changes)) for _, part in _needing(plan, Purge))
    return Task(plan, (), script=(*fixes, "give_back"), tools=("more=last", remote_text("remove.sh")))


def _gives_back(resource: Resource[Any], _: Change) -> bool:
    return isinstance(resource, OriginalFile | OriginalSysctl | OriginalService | Gone)


def _paths(plan: NodePlan) -> list[str]:
    """The paths of the files that were there before, or that lbdeploy has put there."""
    return [part.resource.path for part in plan.parts if isinstance(part.resource, OriginalFile)]


def _needing(plan: NodePlan, kind: type[R]) -> Iterator[tuple[R, ResourceDiff]]:
    return ((part.resource, part) for part in plan.parts if part.changes and isinstance(part.resource, kind))


def _replace(file: OriginalFile, part: ResourceDiff) -> str:
    return f"{'swap' if part.state.was.there else 'drop'} {cmd(file.path)}"


def _run(service: OriginalService, part: ResourceDiff, *verbs: str) -> list[str]:
    """Stop, start or restart a service where needed, and check that it runs if it should."""
    wanted = [change.action for change in part.changes if change.action in verbs]
    lines = [
        line for verb in wanted for line in (f"step {verb} {service.unit}", f"run systemctl {verb} {service.unit}")
    ]
    return lines + [f"run systemctl is-active --quiet {service.unit}" for verb in wanted if verb != "stop"]


def _set(sysctl: OriginalSysctl, part: ResourceDiff) -> list[str]:
    back = cmd("sysctl", "-q", "-w", f"{sysctl.name}={part.state[0]}")
    return [f"step set {cmd(sysctl.name)}", f"undo {here(back)}", f"run {part.resource.fix(part.state, [])}"]


def _at_boot(service: OriginalService, part: ResourceDiff) -> list[str]:
    back = {"enable": "disable", "disable": "enable", "mask": "unmask"}
    wanted = [change.action for change in part.changes if change.action in back]
    unit = service.unit
    return [f"undo 'systemctl --quiet {back[verb]} {unit}'\nrun systemctl --quiet {verb} {unit}" for verb in wanted]
