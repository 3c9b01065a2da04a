"""Which node holds the VIPs, and which one may take them next. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import RemoteError
from lbdeploy.health.fitness import unable
from lbdeploy.node import keepalived_conf
from lbdeploy.node.vrrp_priority import FAULT, HANDOVER, OF_GROUP
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.vrrp.members import instances
from lbdeploy.rollout.gate import OF_SERVERS
from lbdeploy.rollout.survey import Survey

DRIFT = ("file", "packages", "sysctl", "service")  # findings about what `up` would change


def holder(part: Cluster, survey: Survey) -> str:
    """The one node that holds every VIP of a part of the cluster.

    Raises RemoteError, or the error that kept a node from being observed.
    """
    names, placed = survey.verdict.holders_of(part.group), survey.verdict.part(part.group)
    if len(names) == 1 and all(placement.holders for placement in placed):
        return names[0]
    for error in survey.errors.values():
        raise error.but(state="nothing was moved")
    if absent := survey.verdict.overview.undeployed("nothing was moved"):
        raise absent
    where = ", ".join(f"{each.vip.ip} is on {' and '.join(each.holders) or 'no node'}" for each in placed)
    raise unmoved(f"{part.its_vips} are not all on one node: {where}")


def require_rules(part: Cluster, survey: Survey) -> None:
    """Raise where VRRP runs with other settings than hosts.toml has: a handover would have other effects."""
    for name, seen in survey.seen.items():
        there, wanted = instances(part, survey.plans[name])
        differing = there.unlike(wanted) if there and wanted and seen.service("keepalived").running else []
        if differing:
            message = f"VRRP there does not go by hosts.toml: its keepalived.conf differs in {', '.join(differing)}"
            fix = typed("up", after=", or take back the edit of hosts.toml")
            raise RemoteError(message, node=name, state="nothing was moved", fix=fix)


def chosen(part: Cluster, survey: Survey, giver: str, priorities: Mapping[str, int], *, back: bool) -> str:
    """The healthy node of the highest priority; unless `back`, not the holder."""
    nodes = [node for node in part.nodes if back or node.name != giver]
    why = {node.name: ill(part, survey, giver, node) for node in nodes}
    fit = [name for name, reason in why.items() if not reason]
    if not fit:
        reasons = "".join(f"; {name}: {reason}" for name, reason in why.items())
        raise unmoved(f"no other node could take {part.its_vips}{reasons}", giver)
    return max(fit, key=lambda name: priorities[name])


def refuse(part: Cluster, survey: Survey, giver: str, taker: str) -> None:
    """Raise where a node should not take the VIPs."""
    if error := survey.errors.get(taker):
        raise error.but(state=f"nothing was moved; {giver} holds the VIPs")
    if why := ill(part, survey, giver, part.node(taker)):
        raise unmoved(f"{taker} should not have {part.its_vips}: {why}", giver)


def ill(part: Cluster, survey: Survey, giver: str, node: Node) -> str:
    """Why a node should not take the VIPs; "" where it may.

    Failures that the holder has, too, because of the servers, don't count. Neither does drift, as long as the node
    could hold the VIPs: moving them away from an unhealthy node must not require fixing drift first.
    """
    if node.name in survey.errors:
        return survey.errors[node.name].message
    failed = [each for each in survey.verdict.findings if each.is_error]
    shared = {each.check for each in failed if each.node == giver and each.check in OF_SERVERS}
    own = [each.detail for each in failed if each.node == node.name and each.check not in {*shared, *DRIFT}]
    seen = survey.seen[node.name].of(part)
    if not own and not _tracks(part, seen.states[f"file {KEEPALIVED_CONF}"].content):
        own = [f"its keepalived.conf does not track {handover_file(part)}, as the built-in template does"]
    return (unable(seen) if seen.priority_offset > FAULT else "") or "; ".join(own)


def handover_file(part: Cluster) -> str:
    """The file on the nodes whose number moves the VIPs of a part of the cluster."""
    return OF_GROUP + part.group if part.group else HANDOVER


def _tracks(part: Cluster, conf: str) -> bool:
    """Whether a keepalived.conf has the instance of this part go by that file."""
    if not part.group:
        first = keepalived_conf.read(conf)
        return first is not None and first.hands_over
    found = keepalived_conf.find(conf, part.vrrp.router_id, part.instance)
    return found is not None and found.own_handover


def unmoved(message: str, giver: str = "", fix: str = typed("verify")) -> RemoteError:
    """The error for a handover that was not started."""
    state = f"nothing was moved; {giver} holds the VIPs" if giver else "nothing was moved"
    return RemoteError(message, state=state, fix=fix)
