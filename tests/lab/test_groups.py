"""Groups of VIPs on one pair: each has its own holder, and what happens to one is nothing to the clients of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from clients import cut, smooth, traffic, turned_away
from harness import VIPS, Lab, all_answered, held_by, sound, wait_for
from neighbours import held_twice
from watchers import SOON, longest, watching

INGRESS = "192.168.0.9"
GROUPS = """\
preempt_delay = 2

[vrrp.groups.k8s-api]
router_id = 101
vips = ["192.168.0.10", "192.168.1.10"]

[vrrp.groups.ingress]
router_id = 102
vips = ["192.168.0.9"]
priorities = { lb1 = 100, lb2 = 200 }
"""


def grouped(lab: Lab) -> None:
    """Two groups, each at home on another node; the file had none before."""
    lab.edit('"192.168.0.10/24"', f'["192.168.0.10/24", "{INGRESS}/24"]')
    lab.edit("router_id = 101\n", "")
    lab.edit("preempt_delay = 2\n", GROUPS)


def at_home(lab: Lab) -> bool:
    return held_by(lab, "lb1", *VIPS) and held_by(lab, "lb2", INGRESS)


def of(seen: dict[str, Any], *vips: str) -> dict[str, Any]:
    """What a client saw of these VIPs alone."""
    lists = {key: [each for each in seen[key] if each["vip"] in vips] for key in ("failures", "late", "broken")}
    return {**seen, **lists}


def unnoticed(seen: dict[str, Any], *vips: str) -> None:
    """No connection to these VIPs failed, was late or broke."""
    own = of(seen, *vips)
    assert (own["failures"], own["late"], own["broken"]) == ([], [], [])


@pytest.fixture
def groups(pair: Lab) -> Iterator[Lab]:
    """The pair with its VIPs in two groups, each at home; afterwards it is a pair without groups again."""
    grouped(pair)
    pair.do("up")
    wait_for(lambda: at_home(pair), 30)
    yield pair
    pair.file.write_text(pair.original)


def test_groups_come_to_a_living_pair_and_go(pair: Lab) -> None:
    """The group that has the pair's router ID goes on as it is; a VIP that changes its group moves alone."""
    with traffic(pair, *VIPS) as came:
        grouped(pair)
        planned = pair.do("plan", code=3)
        pair.do("up")
        wait_for(lambda: at_home(pair), 30)
    smooth(came, 0)
    assert {stage["cost"] for stage in planned["stages"]} == {"clients notice nothing"}
    assert pair.do("up")["changes"] == []
    with traffic(pair, *VIPS, INGRESS) as moved:
        pair.edit('vips = ["192.168.0.10", "192.168.1.10"]', 'vips = ["192.168.0.10"]')
        pair.edit(f'vips = ["{INGRESS}"]', f'vips = ["{INGRESS}", "192.168.1.10"]')
        planned = pair.do("plan", code=3)
        pair.do("up")
        wait_for(lambda: held_by(pair, "lb2", INGRESS, "192.168.1.10"), 30)
    unnoticed(moved, "192.168.0.10", INGRESS)
    assert {each["cost"] for each in planned["stages"]} == {"connections to 192.168.1.10 end; others notice nothing"}
    with traffic(pair, "192.168.0.10") as went:
        pair.file.write_text(pair.original)
        done = pair.run("up", "--ignore", "ends")
        assert done.code == 0, done.out + done.err
        wait_for(lambda: held_by(pair, "lb1"), 30)
    unnoticed(went, "192.168.0.10")
    assert pair.holder(INGRESS) == []
    sound(pair)


def test_a_group_is_handed_over_alone(groups: Lab) -> None:
    """Its clients lose what was open, and those of the other group nothing; without a group, all go to one node."""
    with traffic(groups, *VIPS, INGRESS) as seen:
        there = groups.do("handover", "--group", "ingress")
        assert held_by(groups, "lb1", *VIPS, INGRESS)
        why = {each["subject"]: each["detail"] for each in groups.do("verify")["findings"] if each["check"] == "holder"}
        back = groups.do("handover", "--group", "ingress", "--back")
    assert at_home(groups)
    unnoticed(seen, *VIPS)
    assert turned_away(seen) == []
    assert cut(seen, 2) == []
    assert [(each["group"], each["from"], each["to"], all_answered(each)) for each in (there, back)] == [
        ("ingress", "lb2", "lb1", True), ("ingress", "lb1", "lb2", True)
    ]  # fmt: skip
    assert why["k8s-api"] == "lb1 holds the VIPs of k8s-api, as its priority says"
    assert why["ingress"].startswith("lb1 holds the VIPs of ingress after a handover: until lbdeploy handover --group")
    away = groups.do("handover", "--to", "lb1")
    assert [(each["group"], each["to"]) for each in away["handovers"]] == [("k8s-api", "lb1"), ("ingress", "lb1")]
    assert held_by(groups, "lb1", *VIPS, INGRESS)
    groups.do("handover", "--back")
    assert at_home(groups)
    refused = groups.do("handover", code=2)["error"]
    assert refused["message"] == "each group of VIPs has a holder of its own"


@pytest.mark.slow
def test_each_drill_on_a_group_is_nothing_to_the_other(groups: Lab) -> None:
    """Whatever breaks on a node, the clients of the group that the other one holds go on; then `rebuild` and `down`."""
    homes = {"k8s-api": ("lb1", VIPS), "ingress": ("lb2", (INGRESS,))}
    for group, (node, _) in homes.items():
        [(other, (_, others))] = [each for each in homes.items() if each[0] != group]
        for kind in ("haproxy", "keepalived", "power"):
            with traffic(groups, *others) as seen:
                drilled = groups.do("drill", kind, "--group", group)
                wait_for(lambda: at_home(groups), 60)
            unnoticed(seen, *others)
            told = {each["group"]: each for each in drilled["groups"]}
            assert (drilled["node"], told[other]["outage_ms"], told[other]["expected_ms"]) == (node, 0, 0)
            assert told[group]["outage_ms"] <= told[group]["expected_ms"] + 300
    shown = groups.do("status")
    assert [(each["group"], each["holders"]) for each in shown["groups"]] == [
        ("k8s-api", ["lb1"]), ("ingress", ["lb2"])
    ]  # fmt: skip
    groups.lab("fresh", "lb2")
    wait_for(lambda: held_by(groups, "lb1", *VIPS, INGRESS), 20)
    key = groups.on("lb2", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    with traffic(groups, *VIPS) as seen:
        rebuilt = groups.do("rebuild", "lb2", "--host-key", key, "--wait")
    smooth(seen, 0)
    assert (rebuilt["role"], at_home(groups)) == ("holder", True)
    with traffic(groups, *VIPS, INGRESS) as seen:
        gone = groups.run("--json", "down", "--yes", "--limit", "lb2")
    assert gone.code == 0, gone.err
    assert json.loads(gone.out)["removed"] == ["lb2"]
    unnoticed(seen, *VIPS)
    assert turned_away(seen) == []
    groups.do("rebuild", "lb2")


@pytest.mark.slow
def test_groups_and_swapped_router_ids_are_rolled_back(pair: Lab) -> None:
    """A swap gives the VIPs to the other group's holder, on all nodes at once; `rollback` takes both changes back."""
    every = (*VIPS, INGRESS)
    grouped(pair)
    pair.do("up")
    wait_for(lambda: at_home(pair), 30)
    with traffic(pair, *every) as swapped, held_twice(pair, *every) as twice, watching(pair, *every) as watches:
        for old, new in (("101", "103"), ("102", "101"), ("103", "102")):
            pair.edit(f"router_id = {old}", f"router_id = {new}")
        planned = pair.do("plan", code=3)
        pair.do("up")
        wait_for(lambda: at_home(pair), 30)
    assert longest(watches) <= SOON  # also where the holder has been one all along, and keepalived tells nothing
    (stage,) = planned["stages"]
    assert (stage["way"], set(stage["nodes"])) == ("together", {"lb1", "lb2"})
    assert all(f"{vip}" in stage["cost"] for vip in every)
    assert pair.do("up")["changes"] == []
    with traffic(pair, *every) as restored, held_twice(pair, *every) as again:
        pair.do("rollback")
        wait_for(lambda: at_home(pair), 30)
    for seen, both in ((swapped, twice), (restored, again)):
        assert turned_away(seen) == []
        assert cut(seen, 2) == []
        assert max(both.values()) < 0.5  # one reload is that much later than the other, at most
    _, came, *_ = (each["id"] for each in pair.do("rollback", "--list")["runs"] if each["about"].endswith(" up"))
    with traffic(pair, *VIPS) as went:
        pair.do("rollback", "--to", came)
        wait_for(lambda: held_by(pair, "lb1"), 30)
    assert pair.holder(INGRESS) == []
    unnoticed(went, *VIPS)
    pair.file.write_text(pair.original)
    sound(pair)
