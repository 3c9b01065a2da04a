"""The table of health checks: what is in it is what is checked, and what is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import observe, plans, server, survey

from lbdeploy.config.model import Cluster
from lbdeploy.health import checks
from lbdeploy.health.checks import HealthCheck
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.operations import exit_status
from lbdeploy.rollout.gate import objections
from lbdeploy.rollout.run import Outcome


def _few_servers(state: ClusterState) -> Iterator[Finding]:
    """A check that only this test has: frontends with fewer than four servers."""
    for frontend in state.cluster.frontends:
        if len(frontend.servers) < 4:
            detail = f"{frontend.name} has {len(frontend.servers)} servers"
            yield Finding.warning(None, "few-servers", detail, "add one", subject=frontend.name)


def test_a_check_that_is_registered_is_made_and_told(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function and a row are all that it takes for its findings to be in verify's document, after the others."""
    row = HealthCheck(("few-servers",), "each frontend has four servers", _few_servers)
    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, row))
    seen = survey(seed, *(observe(seed, node, holds=node.name == "lb1") for node in seed.nodes))
    found = exit_status.verified(Outcome(seen.plan, seen.verdict)).document["findings"]
    assert found[-1] == {
        "node": None,
        "check": "few-servers",
        "ok": False,
        "severity": "warning",
        "subject": "k8s-api",
        "detail": "k8s-api has 3 servers",
        "fix": "add one",
    }
    assert seen.verdict.findings[-1].key == (None, "few-servers", "k8s-api")


def test_a_check_that_is_an_error_stops_a_run_unless_it_was_one_before(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate goes by the table, too, and recognizes a finding by its check and subject, whatever its words are."""
    down: dict[str, list[str]] = {"before": ["a"], "after": ["a", "b"]}
    numbers = iter(range(9))

    def judge(state: ClusterState) -> Iterator[Finding]:
        when = "before" if state.observations[1].servers == () else "after"
        for name in down[when]:
            yield Finding.failed(None, "mine", f"{name} for the {next(numbers)}th time", subject=name)

    monkeypatch.setattr(checks, "CHECKS", (HealthCheck(("mine",), "all is well", judge),))
    first, second = seed.nodes
    states = {"sysctl net.ipv4.ip_nonlocal_bind": "0"}
    was = survey(seed, observe(seed, first, holds=True), observe(seed, second, servers=(), states=states))
    now = survey(seed, observe(seed, first, holds=True), observe(seed, second, servers=(server("k8s-api", "master1"),)))
    found = objections(was.plan, was.plan.stages[0], was, now, frozenset())
    assert [each.key for each in found] == [(None, "mine", "b")]


def test_every_finding_has_an_id_of_its_row(seed: Cluster) -> None:
    """So the documentation, which is made from the table, names every id that there is."""
    sick = {"servers": (), "own": {"k8s-api": False}, "haproxy_answers": False}
    seen = [observe(seed, seed.node("lb1"), holds=True), observe(seed, seed.node("lb2"), holds=True, **sick)]
    state = ClusterState(seed, seen, plans(seed, *seen))
    for check in checks.CHECKS:
        told = {finding.check for finding in check.judge(state)}
        assert told <= {*check.ids}, check.ids


def test_every_id_in_the_code_has_its_row() -> None:
    """Also of findings that this moment's cluster does not have."""
    code = "".join(file.read_text(encoding="utf-8") for file in Path(checks.__file__).parent.glob("*.py"))
    told = re.findall(r'Finding\.(?:failed|warning|passed)\(\s*[\w.]+,\s*"([\w-]+)"', code)
    assert len({*told}) > 5
    assert {*told} - {each for check in checks.CHECKS for each in check.ids} == set()


def test_no_two_findings_of_one_moment_have_the_same_key(seed: Cluster) -> None:
    """A finding is recognized by node, check and subject: none of a healthy pair is mistaken for another."""
    seen = [observe(seed, node, holds=node.name == "lb1") for node in seed.nodes]
    keys = [finding.key for finding in checks.findings(ClusterState(seed, seen, plans(seed, *seen)))]
    assert len(keys) > 20
    assert len({*keys}) == len(keys)
