"""verify as a check plugin."""

from __future__ import annotations

from typing import Any

import pytest
from documents import failed, finding, verified

from lbdeploy.cli.report.formats import Format

NAGIOS = Format("nagios")
WARNING, ERROR = finding("warning", "master2 is down"), finding("error", "haproxy does not answer")


@pytest.mark.parametrize(
    ("document", "code", "begins"),
    [
        (verified(), 0, "LBDEPLOY OK - k8s-api: VIPs on lb1, 2 of 2 servers up | servers_up=2;;;0;2 problems=0;;0;0"),
        (verified(WARNING), 1, "LBDEPLOY WARNING - k8s-api: master2 is down |"),
        (verified(WARNING, ERROR, code=6), 2, "LBDEPLOY CRITICAL - k8s-api: haproxy does not answer (and 1 more) |"),
        (verified(code=4, error={"message": "no answer"}), 2, "LBDEPLOY CRITICAL - k8s-api: "),
        (failed("no answer"), 3, "LBDEPLOY UNKNOWN - k8s-api: lb1: no answer |"),
    ],
)
def test_the_first_line_says_it_and_the_exit_code_is_the_plugins(
    document: dict[str, Any], code: int, begins: str
) -> None:
    """Monitoring reads the code and shows the line."""
    assert NAGIOS.exit_code(document) == code
    assert NAGIOS.text(document).startswith(begins)


def test_details_follow_worst_first_and_no_bar_is_in_them() -> None:
    """A bar would begin performance data; a line that a node made may not be two."""
    lines = NAGIOS.text(verified(WARNING, finding("error", "a|b\nc"), code=6)).splitlines()
    assert lines[1:] == ["error: lb1: a/b c -- lbdeploy up", "warning: lb1: master2 is down -- lbdeploy up"]
    assert lines[0].count("|") == 1


def test_what_follows_from_a_cause_is_not_told_beside_it() -> None:
    """One stopped haproxy is one problem, and a cluster that is not there yet is not thirty."""
    effect = finding("error", "k8s-api does not answer", check="frontend") | {"because": {"node": "lb1"}}
    assert NAGIOS.text(verified(ERROR, effect, code=6)).splitlines() == [
        "LBDEPLOY CRITICAL - k8s-api: haproxy does not answer | servers_up=2;;;0;2 problems=2;;0;0 time=0.5s",
        "error: lb1: haproxy does not answer -- lbdeploy up",
    ]
    bare = NAGIOS.text(verified(ERROR, code=6, summary={"state": "not deployed", "not_deployed": ["lb1", "lb2"]}))
    assert bare.startswith("LBDEPLOY CRITICAL - k8s-api: not deployed on lb1, lb2 |")
    assert len(bare.splitlines()) == 1
