"""The order in which nodes stop being load balancers, what that costs clients, and what forbids it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LastNodeError, RemoteError
from lbdeploy.health.fitness import able, unable
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.keepalived_conf import all_vips, read, unread
from lbdeploy.node.resources.original import (
    NONE,
    UNKNOWN,
    Content,
    OriginalFile,
    OriginalFileState,
    OriginalService,
    Unit,
)
from lbdeploy.node.resources.purge import Purge, PurgeState
from lbdeploy.operations.down_steps import leaving, purging
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.rollout.survey import Survey

BESIDE = (
    "its keepalived from before lbdeploy runs again; where that can't hear the holder, both have the VIPs until the "
    "holder is changed, too: open connections may be cut"
)


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """A plan, and what an operator should know before it is carried out.

    `vips` will be gone, but the keepalived from before lbdeploy has those in `back` again, and may have those in
    `perhaps`; `sessions` (by node) will end. `resting` are the nodes where it stays stopped, `unreached` those that are
    left out, `unknown` those without a record of what was there before lbdeploy. `staying`: packages that are not
    purged though others are.
    """

    plan: Plan
    vips: tuple[str, ...]
    back: tuple[str, ...]
    perhaps: tuple[str, ...]
    sessions: Mapping[str, int]
    resting: tuple[str, ...]
    unreached: tuple[str, ...]
    unknown: tuple[str, ...]
    staying: Mapping[str, tuple[str, ...]]


def plan_removal(cluster: Cluster, survey: Survey) -> RemovalPlan:
    """The plan for the observed nodes. Raises LastNodeError and RemoteError where they must not be taken out."""
    plan = _plan(cluster, survey)
    if plan.changes:
        _refuse_the_last(cluster, survey)
        _refuse_needed(plan)
    vips = tuple(str(vip.ip) for vip in cluster.vips) if whole(cluster, survey) else ()
    back = _again(cluster, survey)
    again = [_may_have_again(cluster, each) for each in survey.plans.values()]
    return RemovalPlan(
        plan,
        vips,
        tuple(each for each in vips if each in back),
        tuple(each for each in vips if each not in back and any(each in some for some in again)),
        {name: sum(each.sessions for each in seen.servers) for name, seen in survey.observations.items()},
        rivals(cluster, survey),
        tuple(survey.errors),
        tuple(name for name, each in survey.plans.items() if any(file.record == UNKNOWN for file in _files(each))),
        {name: state.staying for name in survey.observations for state in _purged(survey.plans[name]) if state.staying},
    )


def rivals(cluster: Cluster, survey: Survey) -> tuple[str, ...]:
    """The nodes that go while others stay, and whose keepalived from before lbdeploy may have VIPs that these serve.

    It may not hear the others, or be preferred to them: so it must not run again.
    """
    if whole(cluster, survey):
        return ()
    return tuple(name for name in survey.observations if _may_have_again(cluster, survey.plans[name], boots=True))


def _again(cluster: Cluster, survey: Survey) -> set[str]:
    """The VIPs that the keepalived from before lbdeploy has again, on any node."""
    before = [_keepalived_before(plan) for plan in survey.plans.values()]
    return {vip for unit, conf in before if unit.running and _tells(conf) for vip in _vips_in(cluster, conf)}


def _may_have_again(cluster: Cluster, plan: NodePlan, *, boots: bool = False) -> set[str]:
    """The VIPs that a node's keepalived from before lbdeploy may have again; `boots`: also after the next boot."""
    unit, conf = _keepalived_before(plan)
    if not unit.running and not (boots and unit.enabled == "enabled"):
        return set()
    return _vips_in(cluster, conf) if _tells(conf) else {str(vip.ip) for vip in cluster.vips}


def _keepalived_before(plan: NodePlan) -> tuple[Unit, Content]:
    """What systemd said of keepalived before lbdeploy, and its file; where lbdeploy is not on the node: nothing."""
    states = {part.resource.id: part.state for part in plan.parts}
    service, conf = states.get(OriginalService("keepalived").id), states.get(OriginalFile(KEEPALIVED_CONF).id)
    return (service[1], conf.was) if service and conf and conf.record != NONE else (Unit(), Content())


def _tells(conf: Content) -> bool:
    """Whether a keepalived.conf says by itself which VIPs it has: of a link, only the target is on record."""
    return conf.kind != "link" and not unread(conf.content)


def _vips_in(cluster: Cluster, conf: Content) -> set[str]:
    return {str(vip.ip) for vip in cluster.vips} & all_vips(conf.content)


def whole(cluster: Cluster, survey: Survey) -> bool:
    """Whether all nodes are to go."""
    return len(survey.observations) + len(survey.errors) == len(cluster.nodes)


def successors(cluster: Cluster, before: Survey, gone: Collection[str]) -> list[str]:
    """The nodes of which one must have the VIPs once those in `gone` are out; [] where none has to.

    So it is where no node had all of them before, as right after a boot; and where no other is a member any more: one
    that was taken out by an earlier `down` is still seen, and may run a keepalived of its own, but takes no VIP.
    """
    had = all(any(each.holds_all(part) for each in before.seen.values()) for part in cluster.parts)
    serving = [name for name, each in before.seen.items() if each.service("keepalived").running]
    members = [name for name in serving if name in before.beside or leaving(before.plans[name]).changes]
    return [name for name in members if had and name not in gone]


def hands_over(plan: NodePlan) -> bool:
    """Whether the running keepalived can make another node take its VIPs."""
    found = [read(each.now.content) for each in _files(plan)]
    return any(each.hands_over for each in found if each)


def purges(stage: Stage) -> bool:
    """Whether a stage is the one that can't be undone."""
    return any(part.changes and not part.resource.undoable for p in stage.plans.values() for part in p.parts)


def _plan(cluster: Cluster, survey: Survey) -> Plan:
    """Nodes that hold no VIP first, the holder last; then, for all at once, what can't be undone."""
    seen = survey.observations
    order = sorted(seen, key=lambda name: (seen[name].holds_any(cluster), seen[name].node.priority))
    plans = {name: leaving(survey.plans[name]) for name in order}
    stages = [
        Stage(Strategy.LEAVE, {name: each}, _cost(cluster, survey, name))
        for name, each in plans.items()
        if each.changes
    ]
    gone = {name: each for name in order if (each := purging(survey.plans[name])).changes}
    return Plan(
        survey.plans, (*stages, *([Stage(Strategy.LEAVE, gone, "nothing runs there any more")] if gone else []))
    )


def _cost(cluster: Cluster, survey: Survey, name: str) -> str:
    if not survey.seen[name].holds_any(cluster):
        beside = whole(cluster, survey) and _may_have_again(cluster, survey.plans[name])
        return BESIDE if beside else "clients notice nothing"
    if whole(cluster, survey):
        back = {str(vip.ip) for vip in cluster.vips} <= _again(cluster, survey)
        return "the VIPs are gone" + (", until the keepalived from before lbdeploy has them again" if back else "")
    if not hands_over(survey.plans[name]):
        return "its keepalived.conf has no track_file for a handover: connections fail for about a second"
    return "the VIPs move to another node first: open connections are cut, new ones go through"


def _refuse_the_last(cluster: Cluster, survey: Survey) -> None:
    """Raise where nodes stay, none of them could hold the VIPs, and one of those that go could."""
    fit = [name for name, each in survey.observations.items() if able(each)]
    if whole(cluster, survey) or not fit or any(able(each) for each in survey.beside.values()):
        return
    others = [node.name for node in cluster.nodes if node.name not in survey.observations]
    why = [unable(survey.beside[name]) if name in survey.beside else "it can't be reached" for name in others]
    raise LastNodeError(
        f"no other node could take over when {' and '.join(fit)} is gone"
        + "".join(f"; {name} cannot take over: {reason}" for name, reason in zip(others, why, strict=True)),
        node=fit[0],
        state="nothing was changed",
        fix="bring another node back first; to take the whole cluster down: lbdeploy down, without --limit",
    )


def _refuse_needed(plan: Plan) -> None:
    """Raise where purging our packages would also remove packages that somebody else installed."""
    for name, node_plan in plan.nodes.items():
        for needing in (state.needing for state in _purged(node_plan) if state.needing):
            raise RemoteError(
                f"{' and '.join(needing)} would be removed along with what lbdeploy installed",
                node=name,
                state="nothing was changed",
                fix=f"apt-get purge {' '.join(needing)} there first, or leave out --purge",
            )


def _files(plan: NodePlan) -> Iterator[OriginalFileState]:
    return (part.state for part in plan.parts if isinstance(part.resource, OriginalFile))


def _purged(plan: NodePlan) -> Iterator[PurgeState]:
    return (part.state for part in plan.parts if isinstance(part.resource, Purge))
