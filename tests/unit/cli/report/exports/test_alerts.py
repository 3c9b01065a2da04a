"""The alerts on what keepalived itself writes, as Prometheus's own promtool reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import BIG, GOOD
from metrics import INSTANCES, WITH_METRICS, WITH_VRRP, Series, firing, named, names, scrape, series, told, verify_says
from vrrp_script import Script

from lbdeploy.cli.report.exports.alerts import alerts
from lbdeploy.cli.report.exports.prometheus import text
from lbdeploy.config.model import Cluster

VIPS = "192.168.0.10 192.168.1.10"
INSTANCE = 'vrrp_instance="VI_K8S_API"'
EXPORTERS = {"lb1": "192.168.1.11:9100", "lb2": "192.168.1.12:9100"}


@pytest.fixture
def seed(tmp_path: Path) -> Cluster:
    return cluster(tmp_path, GOOD + WITH_METRICS + WITH_VRRP)


@pytest.fixture
def well(seed: Cluster, tmp_path: Path) -> Series:
    """lb1 is MASTER and lb2 BACKUP, as the script writes it; verify and haproxy have nothing to tell."""
    found = verify_says() | series(scrape("2.6").replace('"DOWN"} 1', '"DOWN"} 0').replace('"L6RSP"} 1', '"L6RSP"} 0'))
    found |= {key: "1x90" for key in found if key.startswith("haproxy_backend_active_servers")}
    quiet = {f'up{{instance="{each}"}}': "1x90" for each in INSTANCES}
    return found | quiet | written(seed, tmp_path, "lb1", VIPS) | written(seed, tmp_path, "lb2", "")


def written(seed: Cluster, folder: Path, node: str, held: str) -> Series:
    """What a node's script writes for an hour and a half."""
    (folder / node).mkdir()
    printed = series(Script(folder / node, seed, node).printed(held=held), EXPORTERS[node])
    return {key: "0+60x90" if key.startswith("lbdeploy_vrrp_timestamp") else value for key, value in printed.items()}


def of(name: str, node: str, more: str = f",{INSTANCE}") -> str:
    """A series of a node, with the label that Prometheus adds."""
    return f'lbdeploy_vrrp_{name}{{instance="{EXPORTERS[node]}",cluster="k8s-api",node="{node}"{more}}}'


def states(node: str, values: str, state: str = "MASTER") -> Series:
    """The node in this state, 1 or 0 over time."""
    return {of("state", node, f',{INSTANCE},state="{state}"'): values}


def test_there_are_none_where_nobody_writes_them(tmp_path: Path) -> None:
    """The key is off by default."""
    found = alerts(cluster(tmp_path, GOOD + WITH_METRICS))
    assert "lbdeploy_vrrp" not in "".join(each.expression for each in found)
    assert "LbdeployVipMoved" in {each.name for each in found}


def test_each_metric_and_label_is_written(seed: Cluster, well: Series) -> None:
    """By the script: names as nodes have them, also those of a file with names of every kind."""
    used = {name for each in alerts(seed) for name in named(each.expression) if "_vrrp_" in name}
    assert len(used) == 3
    assert used <= names("\n".join(f"{key} 1" for key in well))
    assert {key for node in EXPORTERS for key in [*states(node, ""), of("transitions_total", node)]} <= set(well)


@pytest.mark.terminal
def test_a_healthy_pair_raises_none(seed: Cluster, well: Series, tmp_path: Path) -> None:
    firing(tmp_path, text(seed), well, {})


@pytest.mark.terminal
def test_two_masters_are_told_with_what_to_type(seed: Cluster, well: Series, tmp_path: Path) -> None:
    expected = {
        "exp_labels": {"severity": "critical", "cluster": "k8s-api", "vrrp_instance": "VI_K8S_API"},
        "exp_annotations": {
            "summary": "2 nodes are MASTER of VI_K8S_API instead of one",
            "description": "As keepalived on each says. With none, clients reach nothing; with two, some reach the "
            "wrong node. What is wrong and what to do: lbdeploy verify",
        },
    }
    told(tmp_path, text(seed), well | states("lb2", "1x90"), "LbdeployVrrpMasters", expected)


@pytest.mark.terminal
def test_no_master_is_told_once_every_node_has_spoken(seed: Cluster, well: Series, tmp_path: Path) -> None:
    """A node of which nothing is known may be the one: then only its silence is told."""
    none = well | states("lb1", "0x90") | states("lb1", "1x90", "FAULT")
    fault = {"LbdeployVrrpFault": [f'node="lb1",{INSTANCE}']}
    firing(tmp_path, text(seed), none, fault | {"LbdeployVrrpMasters": [INSTANCE]})
    unknown = {key: value for key, value in well.items() if 'node="lb1"' not in key or "_vrrp_" not in key}
    firing(tmp_path, text(seed), unknown, {"LbdeployVrrpSilent": ['node="lb1"']})


@pytest.mark.terminal
def test_what_a_dead_keepalived_has_left_is_not_believed(seed: Cluster, well: Series, tmp_path: Path) -> None:
    """Its file still says MASTER, and gets old, whatever the node's clock says."""
    died = {of("timestamp_seconds", "lb1", ""): "-9000+60x60 -5400x30"}
    took = states("lb2", "0x62 1x28") | {of("transitions_total", "lb2"): "0x62 1x28"}
    silent = {"LbdeployVrrpSilent": ['node="lb1"']}
    moved = {"LbdeployVipMoved": [f'node="lb2",{INSTANCE}']}
    firing(tmp_path, text(seed), well | died | took, silent | moved, at="70m")
    firing(tmp_path, text(seed), well | died | took, silent, at="85m")


@pytest.mark.terminal
def test_flapping_is_more_than_a_handover_and_back(seed: Cluster, well: Series, tmp_path: Path) -> None:
    """Four changes in an hour are an evening's work; a counter that begins anew counts on."""
    work = well | {of("transitions_total", "lb2"): "0x40 1x5 2x5 3x5 4x35"}
    firing(tmp_path, text(seed), work, {})
    flaps = well | {of("transitions_total", "lb2"): "2x40 3x5 4x5 5x5 1x5 2x5 3x25"}
    firing(tmp_path, text(seed), flaps, {"LbdeployVrrpFlapping": [f'node="lb2",{INSTANCE}']})


@pytest.mark.terminal
def test_names_of_every_kind_are_understood(tmp_path: Path) -> None:
    """promtool reads the rules, and nothing at all raises what is to be raised."""
    big = cluster(tmp_path, BIG + '\n[metrics]\nnetwork = "back"\n' + WITH_VRRP)
    absent = [f'node="{node.name}"' for node in big.nodes]
    rules = text(big)
    stale = {"LbdeployVerifyStale": [""], "LbdeployVrrpSilent": absent}
    unscraped = [f'instance="[fd00:1::{each}]:8404"' for each in (11, 12, 13)]
    firing(tmp_path, rules, {}, stale | {"LbdeployHaproxyNotScraped": unscraped})
