"""Removing a load balancer from a node: what the node should have then, and the steps to get there. Pure.

The old files and services are restored in a transaction like any other, which is undone unless confirmed. Only after
that, and only if requested, packages are removed, which can't be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lbdeploy.common.shell import cmd
from lbdeploy.config.model import Cluster, Node
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources.base import Phase, Resource
from lbdeploy.node.resources.original import OriginalService
from lbdeploy.planning.desired import former
from lbdeploy.rollout.steps import Steps
from lbdeploy.rollout.transaction import Task, go_away, reload_units


def original(cluster: Cluster, node: Node, *, purge: bool) -> list[Resource[Any]]:
    """What a node should have once lbdeploy is gone; what can't be undone only where it is asked for (`purge`)."""
    return [each for each in former(cluster, node) if purge or each.undoable]


def resting(resources: Sequence[Resource[Any]]) -> list[Resource[Any]]:
    """The same for a node whose keepalived from before lbdeploy must not run again."""
    keepalived = OriginalService("keepalived").id
    return [
        replace(each, rests=True) if isinstance(each, OriginalService) and each.id == keepalived else each
        for each in resources
    ]


def leaving(plan: NodePlan) -> NodePlan:
    """The part of a node's plan that can be undone: files, kernel settings and services as they were."""
    return plan.only(lambda resource, _: resource.undoable)


def purging(plan: NodePlan) -> NodePlan:
    """The part of a node's plan that can't be undone."""
    return plan.only(lambda resource, _: not resource.undoable)


def leave(task: Task, vips: Sequence[str], *, purge: bool) -> Task:
    """The same task with the steps of a node that leaves. `vips`: the cluster's. `purge`: packages are to follow."""
    plan = leaving(task.plan)
    early, late = Steps(plan, early=True), Steps(plan, early=False)
    tools = (f"more={'packages' if purge else cmd('')}", remote_text("remove.sh"))
    script = (
        *go_away(task),
        *late.staged(),
        f"keep {cmd(*Steps(plan).paths)}",
        *late.take(Phase.GUARD),
        *reversed(late.take(Phase.STOP)),
        f"release {cmd(*vips)}",
        *late.take(Phase.CREATE, Phase.VALIDATE, Phase.SWAP, Phase.DROP, Phase.SET),
        *reload_units(early, late),
        *late.take(Phase.BRING_UP, Phase.VRRP, Phase.CHECK, Phase.ENABLE),
        f"await {task.confirm}",
        *early.take(Phase.STOP, Phase.DROP),
        *late.take(Phase.LAST),
    )
    early.require_all_taken()
    late.require_all_taken()
    return replace(task, script=script, tools=tools)


def purge(plan: NodePlan) -> Task:
    """The task that removes packages and lbdeploy's own folder, and can't be undone."""
    steps = Steps(purging(plan))
    script = (*steps.take(Phase.PURGE), "give_back")
    steps.require_all_taken()
    return Task(plan, script=script, tools=("more=last", remote_text("remove.sh")))
