"""The report of `doctor`."""

from __future__ import annotations

from checkups import looked

from lbdeploy.cli.report.doctor import lines
from lbdeploy.config.model import Cluster
from lbdeploy.operations.doctor import doctor
from lbdeploy.operations.doctor.checklist import LOGIN, OF_NODES

EACH = len(LOGIN) + len(OF_NODES)  # checks of a node


def test_the_report_has_problems_first_and_a_count_of_what_passed(seed: Cluster) -> None:
    """By node, each with its id to ignore it by; a remedy that several share is told once."""
    files = "file /etc/keepalived/keepalived.conf\nfile /etc/haproxy/haproxy.cfg"
    found = doctor.diagnose(seed, [looked(seed, ahead=3600, leftover=files), looked(seed, "lb2")], {})
    text = [
        "".join(part if isinstance(part, str) else part[0] for part in line) for line in lines(found, verbose=False)
    ]
    assert text[0] == f"lb1: {EACH - 2} checks passed"
    assert text[1] == "  ✗ its clock is 60 minutes ahead of yours [clock]"
    assert [line.strip()[:6] for line in text[2:7]] == ["next: ", "! /etc", "! /etc", "next: ", "lb2: 2"]
    assert text[-2] == f"Not ready: 1 problem, {2 * EACH + 4} checks passed, 2 warnings."
    verbose = [*lines(found, verbose=True)]
    assert len(verbose) == len(text) + 2 * EACH + 4
