"""What stops a run after a stage, and what a stage requires before it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lbdeploy.common.debian import DAEMONS
from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LastNodeError
from lbdeploy.health.finding import Excuses, Finding
from lbdeploy.health.fitness import able, kept_by_tracking, starting, unable
from lbdeploy.health.placement import holders
from lbdeploy.health.servers import lost_servers
from lbdeploy.health.verdict import Verdict
from lbdeploy.planning.desired import FIREWALL_SERVICE
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.planning.stages import foreseen
from lbdeploy.planning.vrrp.members import differing
from lbdeploy.rollout.survey import Survey

OF_ANSWERS = ("api", "frontend")
OF_VIPS = ("vip", "holder")
OF_SERVERS = ("backend", *OF_ANSWERS)  # checks that may also fail because of the servers, not the nodes
SIMULTANEOUS = (Strategy.TOGETHER, Strategy.REELECT)


def objections(plan: Plan, stage: Stage, before: Survey, after: Survey, excused: Excuses) -> list[Finding]:
    """Why a run must not continue after a stage: what is wrong with its nodes or the VIPs, and is not excused.

    What was wrong with the VIPs before, and is so in the same way, is no objection: the run may be what repairs it.
    """
    excused |= _mute(before, after, stage.names) | _unmoved(before.verdict, after.verdict)
    failed = [each for each in after.verdict.findings if each.is_error and each.node in (None, *stage.names)]
    found = [each for each in failed if not each.is_among(excused)]
    found += _unforeseen(plan, stage, before, after)
    found += _faulted(stage, before, after)
    found += _shut_out(stage, before, after)
    for name in stage.names:
        others = [each for other, each in after.seen.items() if other not in stage.names]
        found += lost_servers(after.cluster, before.seen[name], after.seen[name], others)
    return found


def _mute(before: Survey, after: Survey, names: Collection[str]) -> Excuses:
    """Frontends that did not answer before either, though servers are up: such servers say nothing."""

    def mute(name: str) -> list[str]:
        was, now = before.seen[name].own, after.seen[name]
        up = {server.frontend for server in now.servers if server.up}
        return [each for each, answered in now.own.items() if not answered and not was.get(each) and each in up]

    return frozenset((name, "frontend", each) for name in names for each in mute(name))


def _unmoved(before: Verdict, after: Verdict) -> Excuses:
    """What was wrong with the whole cluster before; as for the VIPs, only while those concerned are where they were."""

    def placed(verdict: Verdict, vip: str) -> list[tuple[tuple[str, ...], bool]]:
        concerned = [each for each in verdict.vips if vip in ("", str(each.vip.ip))]
        # The nodes, and whether that is known.
        return [(each.holders, bool(each.holders or not each.unknown)) for each in concerned]

    ill = [each for each in before.findings if each.is_error and each.node is None]
    return frozenset(
        each.key
        for each in ill
        if each.check not in OF_VIPS or placed(before, each.subject) == placed(after, each.subject)
    )


def _shut_out(stage: Stage, before: Survey, after: Survey) -> list[Finding]:
    """VIPs that no longer answer other nodes over the network, where this stage changes the firewall."""
    if not any(change.name == FIREWALL_SERVICE for plan in stage.plans.values() for change in plan.changes):
        return []
    was = {each.key for each in before.verdict.findings if each.is_error}
    of_others = [each for each in after.verdict.findings if each.check == "api" and each.node not in stage.names]
    return [each for each in of_others if each.is_error and each.key not in was]


def excuses(plan: Plan, stage: Stage, before: Survey) -> Excuses:
    """Findings that failed before a stage, and that it need not fix, since the servers are the cause.

    Or the holder is, where it is changed in a later stage: nothing answers on a new port before that. Servers that are
    up but do not answer a TLS greeting excuse only findings about the same ports: no other may fail.
    """
    failed = of_servers(before)
    later = {name for each in plan.stages[plan.stages.index(stage) + 1 :] for name in each.names}
    waits = not later.isdisjoint(holders(before.cluster, list(before.seen.values())))
    found = frozenset((node, check) for node, check in failed if waits or (node, "backend") in failed)
    return found | _silent(before) | _untold(before)


def _untold(before: Survey) -> Excuses:
    """Nodes whose scripts failed before: what these need is elsewhere, and no reason to leave a node as it is."""
    return frozenset(each.key for each in before.verdict.findings if each.is_error and each.check == "notify")


def _silent(before: Survey) -> Excuses:
    """What failed before because of servers that say nothing, on nodes whose haproxy works and has servers up."""
    failed = [each for each in before.verdict.findings if each.is_error]
    down = {each.node for each in failed if each.check == "backend"}
    well = [name for name, each in before.seen.items() if each.haproxy_answers and name not in down]
    mute = [name for name in well if not all(before.seen[name].own.values())]
    return frozenset(each.key for each in failed if each.node in mute and each.check in OF_ANSWERS)


def of_servers(survey: Survey) -> frozenset[tuple[str | None, str]]:
    """Findings that failed, possibly because of the servers."""
    found = survey.verdict.findings
    return frozenset((each.node, each.check) for each in found if each.is_error and each.check in OF_SERVERS)


def _unforeseen(plan: Plan, stage: Stage, before: Survey, after: Survey) -> Iterator[Finding]:
    """VIPs that another node holds now, though nothing in the plan moves them, nor that it alone reaches servers."""
    for part in after.cluster.parts:
        yield from _unforeseen_in(part, plan, stage, before, after)


def _unforeseen_in(part: Cluster, plan: Plan, stage: Stage, before: Survey, after: Survey) -> Iterator[Finding]:
    seen = [each.of(part) for each in before.seen.values()]
    was, now = holders(part, seen), holders(part, list(after.seen.values()))
    expected = foreseen(part, plan, stage, seen)
    unexpected = [name for name in now if name not in expected and not _has_servers_again(name, was, before, after)]
    if unexpected and was:
        detail = (
            f"{part.its_vips} moved from {' and '.join(was)} to {' and '.join(now)}, which the plan did not foresee"
        )
        fix = f"journalctl -u keepalived -n 20 on {' and '.join((*was, *unexpected))}"
        yield Finding.failed(None, "holder", detail, fix, subject=part.group)


def _has_servers_again(name: str, was: Collection[str], before: Survey, after: Survey) -> bool:
    """Whether this node has servers of more frontends than those that held the VIPs: they leave the VIPs to it.

    A new token, path or CA of the check does that to the first node that gets it, where the old one had all servers
    down. A node leaves the VIPs of all groups, whatever group a frontend is for; and servers that are dead for every
    node say nothing.
    """
    return all(_without_servers(before, each) > _without_servers(after, name) for each in was)


def _without_servers(survey: Survey, name: str) -> set[str]:
    """The frontends of which a node has no server up."""
    failed = (each for each in survey.verdict.findings if each.is_error and each.node == name)
    return {each.subject for each in failed if each.check == "backend"}


def _faulted(stage: Stage, before: Survey, after: Survey) -> Iterator[Finding]:
    """Nodes that went into FAULT state with this change, because of something they track."""
    for name in stage.names:
        if kept_by_tracking(after.seen[name]) and able(before.seen[name]):
            detail = "what it tracks keeps it from holding the VIPs since this change: keepalived is in FAULT state"
            fix = "run the scripts of vrrp.track_scripts there by hand, and look into the files of vrrp.track_files"
            yield Finding.failed(name, "track", detail, fix)


def refuse_the_last(stage: Stage, survey: Survey, *, force: bool) -> None:
    """Raise LastNodeError where no healthy node would be left while the stage's nodes are changed.

    Where they are changed together, two healthy ones among them are enough: the change was rehearsed on all.
    """
    healthy = [name for name, each in survey.seen.items() if able(each)]
    touched = [name for name in stage.names if name in healthy]
    spare = [name for name in healthy if name not in stage.names]
    needed = stage.way is Strategy.AWAY or not force
    if stage.way is Strategy.BEGIN or not touched or spare or not needed:
        return
    if stage.way in SIMULTANEOUS and len(touched) > 1:
        return
    raise _last_node(stage, touched, survey)


def refused_at_once(survey: Survey, seconds: float) -> Iterator[LastNodeError]:
    """Why a run would not even begin with what is planned.

    That is not known where some nodes were not looked at; and nodes that have started in the last `seconds` are waited
    for.
    """
    unknown = len(survey.seen) + len(survey.unanswered) < len(survey.cluster.nodes)
    if unknown or any(starting(each, seconds) for each in survey.seen.values()):
        return
    for stage in survey.plan.stages[:1]:
        try:
            refuse_the_last(stage, survey, force=False)
        except LastNodeError as error:
            yield error


def _last_node(stage: Stage, touched: Collection[str], survey: Survey) -> LastNodeError:
    sick = {name: unable(each) for name, each in survey.seen.items() if name not in touched}
    lost = {name: error.message for name, error in survey.errors.items()}
    why = "".join(f"; {name} cannot take over: {reason}" for name, reason in (sick | lost).items())
    name = " and ".join(touched)
    first = "bring another node back first"
    if has := _not_heard(stage, touched, survey, sick):
        why += f"; and a node that starts must hear {name}, which has {'; '.join(has)}"
        first += f": put that back in hosts.toml as {name} has it, then lbdeploy up; change it once that is done"
    force = typed("up", "--force-last", before=f"{first}; to change it anyway: ")
    return LastNodeError(
        f"no other node could take over while {name} is changed{why}",
        node=name,
        state=f"{name} was left as it is",
        fix=first if stage.way is Strategy.AWAY else force,
    )


def _not_heard(stage: Stage, touched: Collection[str], survey: Survey, sick: Collection[str]) -> list[str]:
    """What those to be changed have, where sick nodes only wait to be started: with other settings, none would hear."""
    stopped = [name for name in sick if not all(survey.seen[name].service(each).running for each in DAEMONS)]
    if stage.way not in SIMULTANEOUS or not stopped:
        return []
    return [word for name in touched for word in differing(survey.cluster, stage.plans[name])]
