"""What is said of a handover."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import observe, survey

from lbdeploy.config.model import Cluster
from lbdeploy.operations.exit_status import all_handed_over, handed_over
from lbdeploy.operations.handover.result import HandoverResult
from lbdeploy.operations.outage.client import PERIOD, Stream
from lbdeploy.operations.outage.gaps import ProbeResult
from lbdeploy.operations.outage.views import HERE, View
from lbdeploy.operations.outage.watch import Silence

VIP = ip_address("192.168.0.10")


def moved(seed: Cluster, pattern: str, *, expected: float = 0.0, healthy: bool = True, **other: Any) -> HandoverResult:
    """A handover that began at 1000; a probe every 20 ms from 999 on, of which an x failed."""
    results = tuple(
        ProbeResult(VIP, 999 + PERIOD * n, "" if each == "." else "refused") for n, each in enumerate(pattern)
    )
    ill = {} if healthy else {"haproxy_answers": False}
    after = survey(
        seed, observe(seed, seed.node("lb1"), **ill), observe(seed, seed.node("lb2"), holds=True, priority_offset=101)
    )
    done = HandoverResult(
        views=(View(HERE, VIP, results),),
        giver="lb1",
        taker="lb2",
        began=1000.0,
        moved_at=1002.0,
        cut=0,
        late=0,
        expected=expected,
        offsets={"lb1": 0, "lb2": 101},
        verdict=after.verdict,
    )
    return replace(done, **other)


@pytest.mark.parametrize(
    ("pattern", "expected", "code"),
    [
        ("." * 100, 0.0, 0),
        ("." * 50 + "xxx" + "." * 50, 0.0, 0),  # within the tolerance
        ("." * 50 + "x" * 20 + "." * 50, 0.0, 6),
        ("." * 50 + "x" * 20 + "." * 50, 0.61, 0),  # without preemption, the skew
        ("." * 50 + "x" * 60 + "." * 50, 0.61, 6),
        (".x" * 20 + "." * 50, 0.0, 6),  # no long outage, but many failures
        ("." * 50 + "xx", 0.0, 6),  # never answered again
    ],
)
def test_connections_that_failed_make_it_fail(seed: Cluster, pattern: str, expected: float, code: int) -> None:
    """More of them than the timers predict, within the tolerance; the error says how many, and who has the VIPs."""
    ending = handed_over(moved(seed, pattern, expected=expected))
    assert ending.exit_code == code
    error = ending.document.get("error")
    assert (error is None) == (code == 0)
    if error:
        assert f"{pattern.count('x')} of {len(pattern)} new connections failed" in error["message"]
        assert (error["type"], error["state"]) == ("Unhealthy", "lb2 holds the VIPs")


def test_what_is_not_well_afterwards_is_the_error(seed: Cluster) -> None:
    ending = handed_over(moved(seed, "." * 100, healthy=False))
    assert ending.exit_code == 6
    assert ending.document["error"]["message"].startswith("lb2 holds the VIPs, but the cluster is not healthy: lb1: ")


def test_only_streams_that_were_alive_then_count_as_cut(seed: Cluster) -> None:
    """Those that broke before have another cause, and those that were opened later lost nothing."""
    streams = (Stream(VIP, 999.1, 999.8), Stream(VIP, 999.9, 1000.4), Stream(VIP, 999.2), Stream(VIP, 1000.5))
    document = moved(seed, "." * 100, streams=streams).to_json()
    assert document["streams"] == {"opened": 2, "broken": 1}


def test_a_silence_counts_from_the_move_on(seed: Cluster) -> None:
    """While preempt_delay passes, the holder serves; the longest silence of all watches is told."""
    silences = (Silence(VIP, 1000.5, 1001.5), Silence(VIP, 1001.9, 1002.7), Silence(VIP, 1002.2, 1003.1, told=False))
    done = moved(seed, "." * 100, watches=3, ended_watches=3, silences=silences)
    assert done.to_json()["watches"] == {"opened": 3, "ended": 3, "silence_ms": 900}
    assert done.silence == pytest.approx(0.9)


def test_handovers_of_several_groups_are_one_document(seed: Cluster) -> None:
    """The longest outage, the sums of probes, where the first one that moved went, and each by itself."""
    stayed = moved(seed, "." * 100, group="api", giver="lb2", offsets={"lb1": 0, "lb2": 0})
    went = moved(seed, "." * 50 + "x" * 3 + "." * 50, group="ingress", expected=1.0)
    status = all_handed_over([stayed, went])
    assert status.exit_code == 0
    document = status.document
    assert (document["from"], document["to"], document["failed"], document["probes"]) == ("lb1", "lb2", 3, 203)
    assert (document["group"], document["held"], document["expected_ms"]) == (None, True, 1000)
    assert [(each["group"], each["from"], each["held"]) for each in document["handovers"]] == [
        ("api", "lb2", False), ("ingress", "lb1", True)
    ]  # fmt: skip
    assert "findings" in document
    assert "findings" not in document["handovers"][0]
    lost = all_handed_over([moved(seed, "." * 50 + "x" * 30 + "." * 50, group="api"), stayed])
    assert (lost.exit_code, handed_over(stayed).document["group"]) == (6, "api")
