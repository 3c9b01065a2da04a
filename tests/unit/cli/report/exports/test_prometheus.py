"""Alert rules, as Prometheus's own promtool reads them, on recorded scrapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import cluster
from documents import VIP, finding, server, verified
from goldens import BIG, GOOD
from metrics import (
    INSTANCES,
    PACKAGES,
    SERVERS,
    STALE,
    VERSIONS,
    WITH_METRICS,
    Series,
    firing,
    named,
    names,
    promtool,
    scrape,
    series,
    told,
    verify_says,
)

from lbdeploy.cli.report.exports.alerts import alerts
from lbdeploy.cli.report.exports.prometheus import text, to_json
from lbdeploy.cli.report.formats import Format
from lbdeploy.config.model import Cluster


@pytest.fixture
def seed(tmp_path: Path) -> Cluster:
    return cluster(tmp_path, GOOD)


@pytest.fixture
def measured(tmp_path: Path) -> Cluster:
    """With [metrics], and the frontends of the recorded scrapes."""
    return cluster(tmp_path, GOOD + WITH_METRICS)


def scraped(version: str = "2.6") -> Series:
    """lb1 as recorded, lb2 with nothing but that it was scraped."""
    return series(scrape(version), INSTANCES[0]) | {f'up{{instance="{each}"}}': "1x90" for each in INSTANCES}


def test_without_metrics_no_rule_is_on_haproxys_own(seed: Cluster) -> None:
    """And the file says so."""
    assert "haproxy_" not in "".join(each.expression for each in alerts(seed))
    assert "# hosts.toml has no [metrics]" in text(seed)


def test_every_metric_of_a_rule_is_printed_by_each_version(measured: Cluster) -> None:
    """By haproxy 2.2, 2.6 and 3.0, or by verify."""
    own = names(Format("prometheus").text(verified(finding("error", "x"), packages=PACKAGES)))
    used = set[str]().union(*(named(each.expression) for each in alerts(measured)))
    assert {"haproxy_server_status", "lbdeploy_vip_holders"} <= used
    for version in VERSIONS:
        assert used - names(scrape(version)) - own == set()


def test_tls_is_looked_at_only_where_checks_use_it(tmp_path: Path) -> None:
    """A TCP check shakes no hands."""
    plain = cluster(tmp_path, GOOD + WITH_METRICS.replace('check = "https"', 'check = "tcp"'))
    assert "LbdeployCertificate" not in {each.name for each in alerts(plain)}


def test_the_head_has_what_prometheus_is_to_scrape(tmp_path: Path) -> None:
    """Each node, as an address with a port; IPv6 in brackets."""
    text_of = text(cluster(tmp_path, BIG + '\n[metrics]\nnetwork = "back"\n'))
    assert '#         - targets: ["[fd00:1::12]:8404", "[fd00:1::11]:8404", "[fd00:1::13]:8404"]' in text_of
    assert r"instance=~`\[fd00:1::12\]:8404|" in text_of


@pytest.mark.terminal
@pytest.mark.parametrize("more", ["", '\n[metrics]\nnetwork = "back"\n'])
def test_promtool_finds_nothing_wrong(tmp_path: Path, more: str) -> None:
    """The file is what its data say, also for names and addresses of every kind."""
    big = cluster(tmp_path, BIG + more)
    (tmp_path / "rules.yml").write_text(text(big))
    (tmp_path / "data.yml").write_text(json.dumps(to_json(big)))
    count = f"SUCCESS: {len(alerts(big))} rules found"
    assert count in promtool("check", "rules", str(tmp_path / "rules.yml"))
    assert count in promtool("check", "rules", str(tmp_path / "data.yml"))


@pytest.mark.terminal
@pytest.mark.parametrize("version", VERSIONS)
def test_what_haproxy_sees_raises_alerts(measured: Cluster, tmp_path: Path, version: str) -> None:
    """A frontend without a server, servers that are down, TLS that fails: the same by each version's own names."""
    at = f'instance="{INSTANCES[0]}"'
    down = [("k8s-api", "master3"), ("tls", "master1"), ("tls", "master2")]
    by_version = ['state="DOWN"'] if version != "2.2" else []
    by_check = ['state="L6RSP"'] if version != "2.2" else []
    expected = {
        "LbdeployNoServer": [f'{at},proxy="tls"'],
        "LbdeployServerDown": [",".join([at, f'proxy="{p}",server="{s}"', *by_version]) for p, s in down],
        "LbdeployCertificate": [",".join([at, f'proxy="{p}",server="{s}"', *by_check]) for p, s in down[1:]],
    }
    firing(tmp_path, text(measured), verify_says() | scraped(version), expected)


@pytest.mark.terminal
def test_a_node_that_is_not_scraped_raises_one(measured: Cluster, tmp_path: Path) -> None:
    """Whether its scrape fails, or Prometheus does not know of it."""
    given = verify_says() | {f'up{{instance="{INSTANCES[0]}"}}': "0x90"}
    expected = {"LbdeployHaproxyNotScraped": [f'instance="{each}"' for each in INSTANCES]}
    firing(tmp_path, text(measured), given, expected)


@pytest.mark.terminal
def test_a_healthy_pair_raises_none(seed: Cluster, tmp_path: Path) -> None:
    """As verify prints it, minute by minute."""
    firing(tmp_path, text(seed), verify_says(), {})


@pytest.mark.terminal
@pytest.mark.parametrize("holders", [[], ["lb1", "lb2"]])
def test_a_vip_that_is_not_on_one_node_raises_one(seed: Cluster, tmp_path: Path, holders: list[str]) -> None:
    """On none, or on two: with the address, and what to type."""
    vip = {"address": "192.168.0.10", "network": "external", "interface": "ens33", "holders": holders, "unknown": []}
    expected = {
        "exp_labels": {"severity": "critical", "cluster": "k8s-api", "vip": "192.168.0.10", "network": "external"},
        "exp_annotations": {
            "summary": f"192.168.0.10 is on {len(holders)} nodes instead of one",
            "description": "On none, clients reach nothing; on two, some reach the wrong node. "
            "What is wrong and what to do: lbdeploy verify",
        },
    }
    told(tmp_path, text(seed), verify_says(vips=[vip]), "LbdeployVipHolders", expected)


@pytest.mark.terminal
def test_a_holder_that_can_not_be_reached_from_here_wakes_nobody(seed: Cluster, tmp_path: Path) -> None:
    """The other node was looked at, and nobody knows whether clients are served: that the node is gone is told."""
    said = verify_says(finding("error", "no answer", check="reach"), vips=[VIP | {"holders": [], "unknown": ["lb1"]}])
    firing(tmp_path, text(seed), said, {"LbdeployProblem": ['node="lb1",check="reach"']})


@pytest.mark.terminal
def test_drift_and_problems_are_told_apart(seed: Cluster, tmp_path: Path) -> None:
    """What differs from hosts.toml, by node and kind; what is wrong besides, also where it is no node's."""
    said = verify_says(
        finding("error", "differs", check="file", node="lb2"),
        finding("error", "stopped"),
        finding("error", "no answer", check="api", node=None),
        finding("warning", "down", check="server"),
    )
    expected = {
        "LbdeployDrift": ['node="lb2",check="file"'],
        "LbdeployProblem": ['node="lb1",check="service"', 'check="api"'],
    }
    firing(tmp_path, text(seed), said, expected)


@pytest.mark.terminal
def test_a_move_is_told_for_a_while(seed: Cluster, tmp_path: Path) -> None:
    """For a quarter of an hour; by then it is as it should be."""
    holder = 'lbdeploy_vip_holder{cluster="k8s-api",vip="192.168.0.10",network="external",node="%s"}'
    moved = verify_says() | {holder % "lb1": "1x70", holder % "lb2": "_x70 1x19"}
    firing(tmp_path, text(seed), moved, {"LbdeployVipMoved": ['vip="192.168.0.10"']}, at="75m")
    firing(tmp_path, text(seed), moved, {}, at="88m")


@pytest.mark.terminal
def test_versions_that_differ_are_told_after_an_hour(seed: Cluster, tmp_path: Path) -> None:
    """Before that, it may be an upgrade, node by node."""
    said = verify_says(packages=[*PACKAGES[:-1], {**PACKAGES[-1], "version": "2"}])
    firing(tmp_path, text(seed), said, {}, at="30m")
    firing(tmp_path, text(seed), said, {"LbdeployVersionsDiffer": ['package="keepalived"']})


@pytest.mark.terminal
def test_no_news_is_no_good_news(seed: Cluster, tmp_path: Path) -> None:
    """No node could be looked at; verify was not run for a while; or it never was."""
    stopped = verify_says() | {f'{STALE}{{cluster="k8s-api"}}': "0+60x60 3600x30"}
    blind = {'lbdeploy_healthy{cluster="k8s-api"}': "0x90", f'{STALE}{{cluster="k8s-api"}}': "0+60x90"}
    firing(tmp_path, text(seed), stopped, {"LbdeployVerifyStale": [""]})
    firing(tmp_path, text(seed), blind, {"LbdeployNothingChecked": [""]})
    firing(tmp_path, text(seed), {}, {"LbdeployVerifyStale": [""]})


@pytest.mark.terminal
def test_a_frontend_without_a_server_is_seen_by_verify_alone(seed: Cluster, tmp_path: Path) -> None:
    """Where hosts.toml has no [metrics]."""
    said = verify_says(servers=[SERVERS[0], server("master1", "DOWN", "lb2")])
    firing(tmp_path, text(seed), said, {"LbdeployNoServer": ['node="lb2",frontend="k8s-api"']})
