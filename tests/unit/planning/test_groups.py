"""Changes of groups of VIPs on a living pair: in which order, and whose clients notice something."""

from __future__ import annotations

import re
from pathlib import Path

from builders import as_by, cluster, links, observe, plans, survey
from goldens import GOOD, GROUPS

from lbdeploy.config.model import Cluster
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import GroupState, Observation
from lbdeploy.planning.agreement import agreement
from lbdeploy.planning.plan import Plan, Strategy
from lbdeploy.planning.stages import NOTHING, foreseen, staged
from lbdeploy.rollout.gate import objections

HOME = {"k8s-api": "lb1", "ingress_2": "lb2", "": "lb1"}
MANAGEMENT = 'vips = ["192.168.0.10", "192.168.1.10"]', 'vips = ["192.168.0.10"]'
TO_INGRESS = 'vips = ["192.168.0.9", "2001:db8::9"]', 'vips = ["192.168.0.9", "2001:db8::9", "192.168.1.10"]'


def seen(before: Cluster, after: Cluster, homes: dict[str, str]) -> list[Observation]:
    """The nodes as an earlier hosts.toml has made them; which one holds the VIPs of each group."""
    found = []
    for node in after.nodes:
        own = [part for part in before.parts if homes[part.group] == node.name]
        there = {link.name: link for link in links(before, before.node(node.name), holds=False)}
        for part in own:
            for link in links(part, node, holds=True):
                addresses = dict.fromkeys((*there[link.name].addresses, *link.addresses))
                there[link.name] = type(link)(link.name, True, tuple(addresses))
        groups = {part.group: GroupState() for part in after.parts if part.group}
        found.append(observe(after, node, states=as_by(before, node.name), links=tuple(there.values()), groups=groups))
    return found


def change(folder: Path, before: str, after: str, homes: dict[str, str] | None = None) -> tuple[Cluster, Plan]:
    """The plan of a change of hosts.toml."""
    was, will_be = cluster(folder, before), cluster(folder, after)
    nodes = seen(was, will_be, homes or HOME)
    return will_be, staged(will_be, plans(will_be, *nodes), nodes)


def edited(*edits: tuple[str, str]) -> str:
    text = GROUPS
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def told(plan: Plan) -> list[tuple[Strategy, str, str]]:
    return [(each.way, " ".join(each.names), each.cost) for each in plan.stages]


def test_the_group_that_has_the_pairs_router_id_goes_on(tmp_path: Path) -> None:
    """Groups come to a pair, one node after the other, and nobody notices."""
    _, plan = change(tmp_path, GOOD, GROUPS)
    assert told(plan) == [(Strategy.RELOAD, "lb2", NOTHING), (Strategy.RELOAD, "lb1", NOTHING)]


def test_it_may_have_another_name(tmp_path: Path) -> None:
    """keepalived goes by the router ID."""
    renamed = GROUPS.replace("[vrrp.groups.k8s-api]", "[vrrp.groups.api]").replace(
        'groups = "k8s-api"', 'groups = "api"'
    )
    _, plan = change(tmp_path, GOOD, renamed)
    assert {cost for _, _, cost in told(plan)} == {NOTHING}


def test_a_vip_that_changes_its_group_is_the_only_one_whose_clients_notice(tmp_path: Path) -> None:
    """Peers compare the VIPs of each group, so both nodes are changed at once."""
    everywhere = ('groups = "k8s-api"\n', "")
    _, plan = change(tmp_path, edited(everywhere), edited(everywhere, MANAGEMENT, TO_INGRESS))
    cost = "connections to 192.168.1.10 end; others notice nothing"
    assert told(plan)[-1:] == [(Strategy.TOGETHER, "lb2 lb1", cost)]


def test_another_router_id_moves_its_own_group_alone(tmp_path: Path) -> None:
    """The standby of that group is changed first, though it holds another one."""
    after, plan = change(tmp_path, GROUPS, edited(("router_id = 101", "router_id = 103")))
    [(way, names, cost)] = told(plan)
    assert (way, names) == (Strategy.REELECT, "lb2 lb1")
    assert cost.startswith("VRRP elects anew: the standby takes the VIPs of k8s-api, both hold them")
    assert after.part("k8s-api").vrrp.router_id == 103


def test_router_ids_of_groups_that_are_apart_cost_an_outage(tmp_path: Path) -> None:
    """No node is a standby for both: what to do first is said."""
    both = ("router_id = 101", "router_id = 103"), ("router_id = 102", "router_id = 104")
    _, plan = change(tmp_path, GROUPS, edited(*both))
    assert "which different nodes hold: their clients get no answer for some seconds" in told(plan)[-1][2]
    assert "lbdeploy handover --to NODE" in told(plan)[-1][2]
    _, plan = change(tmp_path, GROUPS, edited(*both), HOME | {"ingress_2": "lb1"})
    assert "the standby takes the VIPs of k8s-api and the VIPs of ingress_2" in told(plan)[-1][2]


def test_priorities_of_a_group_move_its_vips_alone(tmp_path: Path) -> None:
    """After its own preempt_delay."""
    after, plan = change(tmp_path, GROUPS, edited(("lb1 = 100, lb2 = 200", "lb1 = 210, lb2 = 200")))
    costs = [cost for _, _, cost in told(plan)]
    moved = "the VIPs of ingress_2 move to lb1 after preempt_delay (5 s): open connections are cut, new ones go through"
    assert costs.count(moved) == 1
    nodes = seen(cluster(tmp_path, GROUPS), after, HOME)
    assert foreseen(after.part("k8s-api"), plan, plan.stages[-1], nodes) == {"lb1"}
    assert foreseen(after.part("ingress_2"), plan, plan.stages[-1], nodes) == {"lb1", "lb2"}


def test_the_gate_tells_the_groups_apart(tmp_path: Path) -> None:
    """VIPs that went to another node though nothing moves them: of which group they are."""
    after = cluster(tmp_path, GROUPS.replace("fall = 2", "fall = 3"))
    was = cluster(tmp_path, GROUPS)
    before = survey(after, *seen(was, after, HOME))
    later = survey(after, *seen(was, after, HOME | {"ingress_2": "lb1"}))
    stage = before.plan.stages[0]
    found = [each for each in objections(before.plan, stage, before, later, frozenset()) if each.check == "holder"]
    assert [(each.subject, each.detail) for each in found] == [
        ("ingress_2", "the VIPs of ingress_2 moved from lb2 to lb1, which the plan did not foresee")
    ]


def test_a_peers_other_groups_are_not_taken_for_the_changed_one(tmp_path: Path) -> None:
    """Its adverts are told by the router ID: another group may have as many VIPs as this one had."""
    after, plan = change(tmp_path, GROUPS, edited(MANAGEMENT, TO_INGRESS))
    tools = agreement(after, plan.stages[-1])["lb1"][0]
    _, _, old, new = tools.partition("heeds='")[2].split("\n")[:4]
    advert = "192.168.1.12 host 21{router}c8{count}0001aaaa{vips}".format
    vips = "c0a8000ac0a8010a"
    assert re.match(f"^(?:{old})$", advert(router="65", count="02", vips=vips))
    assert not re.match(f"^(?:{old})$", advert(router="66", count="02", vips=vips))
    assert re.match(f"^(?:{new})$", advert(router="66", count="02", vips=vips))


def test_a_node_has_a_priority_in_each_group(tmp_path: Path) -> None:
    """What was handed over with one group does not count in the others; what its node was told, does."""
    whole = cluster(tmp_path, GROUPS)
    state = KeepalivedState("MASTER", 201, 5.0)
    node = observe(whole, whole.node("lb1"), groups={"ingress_2": GroupState(101, 7.0, state)}, priority_offset=-1)
    api, ingress = (node.of(part) for part in whole.parts)
    assert (api.priority, api.keepalived) == (199, KeepalivedState())
    assert (ingress.priority_offset, ingress.node.priority, ingress.offset_since) == (100, 100, 7.0)
    assert ingress.tracked == 1
