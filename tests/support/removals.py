"""Nodes as `down` finds them: with a record of what was there before lbdeploy, or without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError
from lbdeploy.node.drift import diff
from lbdeploy.node.observation import Observation
from lbdeploy.node.paths import SERVER_STATE
from lbdeploy.node.resources import drains
from lbdeploy.node.resources.original import (
    Content,
    OriginalFile,
    OriginalFileState,
    OriginalService,
    OriginalSysctl,
    Unit,
)
from lbdeploy.node.resources.purge import PurgeState
from lbdeploy.operations.down_steps import original
from lbdeploy.planning.desired import files
from lbdeploy.rollout.survey import Survey

RUNS, OFF, ABSENT = Unit("loaded", "active", "enabled"), Unit("loaded", "inactive", "disabled"), Unit()


def file_state(record: str = "known", now: str = "ours", was: str | None = None) -> OriginalFileState:
    content = Content() if was is None else Content("file", "644,root:root", was)
    return OriginalFileState(record, Content("file", "644,root:root", now), "/kept", content)


def known(cluster: Cluster, name: str, *, holds: bool = False, **states: Any) -> Observation:
    """A healthy node on which lbdeploy was the first to put anything; `purge`: the state of Purge."""
    seen = observe(cluster, cluster.node(name), holds=holds)
    conf = {file.path: file.content for file in files(cluster, seen.node)} | {SERVER_STATE: drains.render((), {})}
    mine: dict[str, Any] = {
        each.id: file_state(now=conf[each.path])
        if isinstance(each, OriginalFile)
        else ("1", "0")
        if isinstance(each, OriginalSysctl)
        else (RUNS, ABSENT)
        for each in original(cluster, seen.node, purge=False)
        if isinstance(each, OriginalFile | OriginalSysctl | OriginalService)
    }
    return replace(seen, states={**seen.states, **mine, "purge": PurgeState(), **states})


def untouched(cluster: Cluster, name: str) -> Observation:
    """The same where lbdeploy never was, or is no more."""
    wanted = original(cluster, cluster.node(name), purge=False)
    same: dict[str, Any] = {each.id: ("0", "0") for each in wanted if isinstance(each, OriginalSysctl)}
    same |= {each.id: file_state("none") for each in wanted if isinstance(each, OriginalFile)}
    return known(cluster, name, **same, **{f"original {unit}": (OFF, OFF) for unit in ("haproxy", "keepalived")})


def survey(
    cluster: Cluster, *seen: Observation, beside: tuple[Observation, ...] = (), **errors: LbdeployError
) -> Survey:
    plans = {each.node.name: diff(original(cluster, each.node, purge=True), each) for each in seen}
    return Survey(
        cluster, {each.node.name: each for each in seen}, plans, errors, {each.node.name: each for each in beside}
    )
