"""One cause is one finding for people, however much follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import observe, plans
from verdicts import BARE, DOWN, DRIFT, GONE, NO_SERVER, Changes, verdict

from lbdeploy.config.model import Cluster
from lbdeploy.health.digest.causes import Cause
from lbdeploy.health.verdict import judge
from lbdeploy.node.parsers import Answered


def told(found: list[Cause]) -> list[tuple[str, int]]:
    return [(each.text, len(each.effects)) for each in found]


def test_a_stopped_haproxy_is_one_cause(seed: Cluster) -> None:
    """Its check and its frontend follow from it; the VIPs have moved, and nothing else is wrong."""
    assert told(verdict(seed, GONE | {"holds": False}, {"holds": True}).causes) == [
        ("lb1: haproxy is inactive", 2),
    ]


def test_the_holders_haproxy_takes_the_answers_of_the_vips_with_it(seed: Cluster) -> None:
    """Nobody gets an answer at the VIPs meanwhile, which is no further fault."""
    silent = tuple(Answered(vip.ip, 6443, "") for vip in seed.vips)
    found = verdict(seed, GONE | {"answered": silent}, {"answered": silent})
    assert [each.check for each in found.errors[0].effects] == ["check", "frontend", "api", "api", "api", "api"]
    assert len(found.errors) == 1


def test_servers_that_are_all_down_are_one_cause_on_both_nodes(seed: Cluster) -> None:
    """It names both nodes; each server, and what would be answered by one, is below it."""
    (cause,) = verdict(seed, NO_SERVER, NO_SERVER).causes
    assert cause.text == "lb1, lb2: k8s-api has 0 of 3 servers up"
    assert sorted({each.check for each in cause.effects}) == ["frontend", "server"]


def test_a_service_that_is_to_read_a_file_again_follows_from_the_file(seed: Cluster) -> None:
    """The edit is what somebody did."""
    found = verdict(seed, {}, {"states": DRIFT})
    assert [(each.finding.check, [e.check for e in each.effects]) for each in found.causes] == [("file", ["service"])]
    assert found.only_drift


def test_what_affects_clients_comes_before_what_only_differs(seed: Cluster) -> None:
    """An edited file can wait; it was found first."""
    found = verdict(seed, {}, GONE | {"states": {**DRIFT, **DOWN}}).causes
    assert [each.finding.subject for each in found] == ["haproxy", "/etc/haproxy/haproxy.cfg"]


def test_vips_that_nobody_holds_follow_only_where_no_node_could_hold_them(seed: Cluster) -> None:
    """With a node that could, and does not, there is another cause."""
    nobody = {"holds": False}
    both = verdict(seed, GONE | nobody, GONE).causes
    assert [each.text for each in both] == ["lb1, lb2: haproxy is inactive"]
    one = verdict(seed, GONE | nobody, {}).causes
    assert [each.text for each in one] == [
        "lb1: haproxy is inactive", "192.168.0.10 is on no node",
    ]  # fmt: skip


def test_a_node_that_can_not_be_asked_may_hold_what_nobody_else_does(seed: Cluster) -> None:
    assert told(verdict(seed, None, {}).causes) == [("lb1: no answer", 2)]


def test_a_bare_node_of_a_live_cluster_is_one_cause(seed: Cluster) -> None:
    """Not a row of crosses, one for each file."""
    bare: Changes = {"states": BARE, "haproxy_answers": False, "servers": (), "own": {}}
    (cause,) = verdict(seed, {}, bare).causes
    assert cause.text == "lb2: is not deployed yet: it has nothing of lbdeploy's"
    assert cause.finding.fix == "lbdeploy plan, then: lbdeploy up"


@pytest.mark.parametrize("lb2", [{}, {"states": DRIFT}, GONE, NO_SERVER, {"holds": True}, {"states": BARE}, None])
@pytest.mark.parametrize("lb1", [{}, {"states": DRIFT}, GONE, NO_SERVER, {"holds": False}, {"states": BARE}])
def test_every_finding_that_failed_is_a_cause_or_follows_from_one(
    seed: Cluster, lb1: Changes, lb2: Changes | None
) -> None:
    """None is lost and none told twice, an error is below an error, and errors come first."""
    found = verdict(seed, lb1, lb2)
    wrong = [each for each in found.findings if not each.ok]
    alike = [replace(cause.finding, node=node) for cause in found.causes for node in cause.nodes or (None,)]
    told = [*alike, *(each for cause in found.causes for each in cause.effects)]
    assert sorted(each.key[1:] for each in told if each.check != "deployed") == sorted(each.key[1:] for each in wrong)
    assert {each.node for each in told} == {each.node for each in wrong}
    kinds = [each.is_error for each in found.causes]
    assert kinds == sorted(kinds, reverse=True)
    assert any(kinds) == (not found.healthy)


def test_the_document_says_what_a_finding_follows_from(seed: Cluster) -> None:
    """By what a program finds the other one with; a cause has no such key."""
    seen = [observe(seed, seed.node("lb1"), **GONE), observe(seed, seed.node("lb2"), holds=True)]
    document = judge(seed, seen, plans(seed, *seen)).to_json()
    entries: list[dict[str, object]] = document["findings"]  # type: ignore[assignment]
    reasons = {(each["check"], each["node"]): each["because"] for each in entries if "because" in each}
    cause = {"node": "lb1", "check": "service", "subject": "haproxy"}
    assert reasons == {("check", "lb1"): cause, ("frontend", "lb1"): cause}
