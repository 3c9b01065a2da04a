"""What nodes that must agree on a change are given for that."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from builders import SEED, as_by, cluster, observe, plans
from goldens import GOOD, GROUPS

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.node.remote import remote_text
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


@pytest.mark.parametrize(
    ("says", "heard", "goes_on"),
    [
        ("undone", "7 hears all\n8 waits lb1\n", True),
        ("undone", "7 undone lb1\n", False),
        ("undone", "7 undone lb10\n", True),
        ("kept", "7 waits lb1\n", False),
    ],
)
def test_undone_is_said_until_every_peer_has_undone_its_change(
    tmp_path: Path, says: str, heard: str, goes_on: bool
) -> None:
    """Behind a cable that was pulled, a peer still waits with its own: both would hold the VIPs (chaos seed 80057)."""
    programs = {
        "systemd-run": f'while [ "$1" != /bin/sh ]; do shift; done; echo saying >> {tmp_path}/told; exec "$@"',
        # It says what it is told to; then the peer is heard.
        "perl": f'cat "$1" "$2.says" - >> {tmp_path}/told; sleep 0.5; echo "9 undone lb1" > "$2.heard"; exec sleep 60',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for name, text in {"run.says": f"{says}\n", "run.heard": heard, "told": ""}.items():
        (tmp_path / name).write_text(text)
    given = f"run={tmp_path}/run\nprogram='the program'\nheeds='what it heeds'\npeers=lb1\nabout=ann\n"
    script = f"{given}{remote_text('agree.sh')}\nsay_on\n"
    path = f"{tmp_path}:/usr/bin:/bin"
    subprocess.run(["sh"], input=script, text=True, check=True, env={"PATH": path}, timeout=30)
    told = (tmp_path / "told").read_text().splitlines()
    assert told == (["saying", "the program", "undone", "what it heeds"] if goes_on else [])
    assert not (tmp_path / "run-undone").exists()
