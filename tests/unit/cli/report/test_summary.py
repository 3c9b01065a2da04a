"""The line with which a command ends, and what is wrong above it."""

from __future__ import annotations

import pytest

from lbdeploy.cli.report.summary import causes_lines, lasting, summary_line
from lbdeploy.cli.report.terminal import Line
from lbdeploy.health.digest.causes import Cause
from lbdeploy.health.digest.overview import Overview
from lbdeploy.health.finding import Finding

PAIR = Overview("k8s-api", (2, 2), (3, 3), ("lb1",), served=True)
STOPPED = Finding.failed("lb1", "service", "haproxy is not running", "lbdeploy up", subject="haproxy")


def text(line: Line) -> str:
    return "".join(part if isinstance(part, str) else part[0] for part in line)


def effects(*nodes: str, of: int) -> tuple[Finding, ...]:
    return tuple(Finding.failed(node, "api", f"{n} is silent") for n in range(of) for node in nodes)


def test_one_line_says_how_the_cluster_is() -> None:
    """The same words at the same places, whatever the state."""
    assert text(summary_line(PAIR.since(4 * 86400 + 5), "healthy")) == (
        "k8s-api  HEALTHY  2/2 nodes  3/3 servers  VIPs on lb1 for 4 d"
    )
    assert text(summary_line(PAIR, "healthy", more="5 changes pending")) == (
        "k8s-api  HEALTHY  2/2 nodes  3/3 servers  VIPs on lb1  5 changes pending"
    )
    both = [Cause(STOPPED, effects("lb1", of=2)), Cause(Finding.warning(None, "server", "down"))]
    line = summary_line(Overview("k8s-api", (1, 2), (1, 3), ("lb2",)).since(61), "degraded", both)
    assert text(line) == "k8s-api  DEGRADED  1/2 nodes  1/3 servers  VIPs on lb2 for 1 min  1 problem, 1 warning"
    assert text(summary_line(Overview("k8s-api", (2, 2), (3, 3)), "down")).endswith("VIPs on no node")
    bare = Overview("k8s-api", (0, 2), bare=("lb1", "lb2"))
    assert text(summary_line(bare, "not deployed")) == "k8s-api  NOT DEPLOYED on lb1 and lb2. Next: lbdeploy plan"


def test_a_cause_has_its_consequences_and_its_remedy_below_it() -> None:
    """The same of two nodes once; many are counted, and shown with -v."""
    cause = Cause(STOPPED, effects("lb1", "lb2", of=5), ("lb1",))
    assert [text(line) for line in causes_lines([cause], verbose=False)] == [
        "✗ lb1: haproxy is not running",
        "    so: lb1, lb2: 0 is silent",
        "    so: lb1, lb2: 1 is silent",
        "    so: lb1, lb2: 2 is silent",
        "    so: 2 more, shown with -v",
        "    next: lbdeploy up",
    ]
    assert len(list(causes_lines([cause], verbose=True))) == 7


def test_a_remedy_that_several_share_is_told_once() -> None:
    """Below the last of them."""
    two = [Cause(STOPPED, nodes=("lb1",)), Cause(STOPPED, nodes=("lb2",))]
    assert [text(line).strip()[:5] for line in causes_lines(two, verbose=False)] == ["✗ lb1", "✗ lb2", "next:"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 400, "400 d")]
)
def test_a_time_is_in_its_largest_unit(seconds: int, shown: str) -> None:
    assert lasting(seconds) == shown
