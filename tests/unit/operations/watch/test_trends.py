"""What has changed while a cluster was watched, and how its numbers went."""

from __future__ import annotations

from dataclasses import replace

from statuses import pair, snapshot

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.operations.status import Status
from lbdeploy.operations.watch.trends import KEPT, Trends

NOW = 1_800_000_000.0


def moved(seed: Cluster) -> Status:
    """The pair after its VIPs have moved to lb2."""
    nodes = {
        "lb1": snapshot(seed, "lb1", "BACKUP", holds=False),
        "lb2": snapshot(seed, "lb2", "MASTER", holds=True),
    }
    return Status(seed, nodes)


def test_it_begins_with_what_nodes_say_since_when(seed: Cluster) -> None:
    """VRRP's states are 90 s old; of the VIPs nobody knows since when, so they are no news."""
    trends = Trends()
    trends.note(pair(seed), NOW)
    told = {each.text: each.at for each in trends.changes}
    assert told["lb1 is MASTER"] == told["lb2 is BACKUP"] == NOW - 90
    assert not any("VIP" in text or "answers" in text for text in told)


def test_what_stays_is_told_once(seed: Cluster) -> None:
    trends = Trends()
    for look in range(5):
        trends.note(pair(seed), NOW + 0.4 * look)  # ages are whole seconds: they jitter
    assert len(trends.changes) == len({each.text for each in trends.changes})


def test_a_move_is_told_with_its_holder(seed: Cluster) -> None:
    trends = Trends()
    trends.note(pair(seed), NOW)
    trends.note(moved(seed), NOW + 100)
    latest = {each.text for each in trends.changes if each.at >= NOW}
    assert {"VIP 192.168.0.10 is on lb2", "lb2 is MASTER", "lb1 is BACKUP"} <= latest


def test_a_state_that_was_left_and_entered_again_between_two_looks_is_news(seed: Cluster) -> None:
    trends = Trends()
    trends.note(pair(seed), NOW)
    trends.note(pair(seed), NOW + 300)
    assert [each.at for each in trends.changes if each.text == "lb1 is MASTER"] == [NOW + 210, NOW - 90]


def test_a_node_that_does_not_answer_is_told_once_and_again_when_it_does(seed: Cluster) -> None:
    """Of what it holds nothing is claimed meanwhile."""
    trends = Trends()
    trends.note(pair(seed), NOW)
    for look in range(3):
        alone = {"lb2": snapshot(seed, "lb2", "BACKUP", holds=False)}
        trends.note(Status(seed, alone, {"lb1": ConnectError(f"silent for {look} s")}), NOW + 2 + 2 * look)
    trends.note(pair(seed), NOW + 8)
    assert [each.text for each in trends.changes if each.at > NOW] == ["lb1 answers", "lb1 does not answer"]


def test_numbers_are_kept_and_unknown_ones_are_gaps(seed: Cluster) -> None:
    trends = Trends()
    whole = pair(seed)
    trends.note(whole, NOW)
    trends.note(replace(whole, nodes={"lb2": whole.nodes["lb2"]}, errors={"lb1": ConnectError("away")}), NOW + 2)
    assert trends.values("rate", "lb1") == (3, None)
    assert trends.values("rate", "lb2") == (3, 3)
    for _ in range(KEPT):
        trends.note(whole, NOW)
    assert len(trends.values("rate", "lb1")) == KEPT
    assert None not in trends.values("rate", "lb1")
