"""What nodes that must agree on a change are given for that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders import SEED, as_by, cluster, observe, plans
from goldens import GOOD, GROUPS

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.planning.plan import Stage, Strategy
from lbdeploy.planning.stages import staged
from lbdeploy.planning.vrrp.agreement import agreement
from lbdeploy.planning.vrrp.members import single


def stage(folder: Path, old: str, new: str) -> tuple[Cluster, Stage]:
    """A live pair, and the stage of its change."""
    after = cluster(folder, GOOD.replace(old, new))
    before = reader.load(SEED)
    seen = [observe(after, node, holds=node.name == "lb1", states=as_by(before, node.name)) for node in after.nodes]
    return after, staged(after, plans(after, *seen), seen).stages[-1]


def test_peers_know_each_others_adverts_before_and_after(tmp_path: Path) -> None:
    """And where to speak to each other; all have one key, which nobody else knows."""
    of, made = stage(tmp_path, "router_id = 101", "router_id = 102")
    tools = agreement(of, made)
    assert sorted(tools) == ["lb1", "lb2"]
    heeds = {name: text[0].partition("heeds='")[2].partition("'\n")[0].split("\n") for name, text in tools.items()}
    assert heeds["lb1"][0] == heeds["lb2"][0] != agreement(of, made)["lb1"][0]
    assert heeds["lb1"][1:] == [
        "lb1", r"192\.168\.1\.12 \S+ ..65.............*.*", r"192\.168\.1\.12 \S+ ..66.............*.*", "192.168.1.12",
    ]  # fmt: skip
    assert "peers=lb2\n" in tools["lb1"][0]


def test_a_peer_is_spoken_to_where_it_is_before_and_after(tmp_path: Path) -> None:
    """When VRRP moves to another network, that is two addresses."""
    of, made = stage(tmp_path, 'network = "management"', 'network = "external"')
    [text] = [each[0] for name, each in agreement(of, made).items() if name == "lb1"]
    assert "192.168.1.12\n192.168.0.12'" in text


def test_a_plain_pair_that_gets_groups_tells_adverts_by_their_router_id(tmp_path: Path) -> None:
    """The new group may announce as many VIPs as the pair did: then only the router ID tells them apart."""
    plain = GOOD.replace('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.9/24"]')
    before = cluster(tmp_path, plain)
    after = cluster(tmp_path, GROUPS.replace(', "2001:db8::9/64"', "").replace(', "2001:db8::9"', ""))
    seen = [observe(after, node, holds=node.name == "lb1", states=as_by(before, node.name)) for node in after.nodes]
    made = staged(after, plans(after, *seen), seen).stages[-1]
    assert (made.way, single(made.plans["lb1"])) == (Strategy.TOGETHER, False)
    _, _, old, new = agreement(after, made)["lb1"][0].partition("heeds='")[2].split("\n")[:4]
    advert = "192.168.1.12 host 21{}c8{}0001aaaa{}".format
    assert re.match(old, advert("65", "03", "c0a8000ac0a80009c0a8010a"))
    assert re.match(new, advert("65", "02", "c0a8000ac0a8010a"))
    assert not re.match(old, advert("66", "03", "c0a80009c0a80008c0a80007"))
    assert not re.match(new, advert("66", "02", "c0a80009c0a80008"))


@pytest.mark.parametrize("way", [Strategy.RELOAD, Strategy.AWAY, Strategy.BEGIN])
def test_others_need_no_agreement(tmp_path: Path, way: Strategy) -> None:
    """Where nodes are changed one by one, or there is nobody else, there is nothing to agree on."""
    of, made = stage(tmp_path, "router_id = 101", "router_id = 102")
    assert agreement(of, Stage(way, made.plans, "")) == {}
    alone = {"lb1": made.plans["lb1"]}
    assert agreement(of, Stage(Strategy.REELECT, alone, "")) == {}
