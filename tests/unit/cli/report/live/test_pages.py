"""The pages behind keys."""

from __future__ import annotations

from statuses import pair
from watching import fault, text, watched

from lbdeploy.cli.report.live.pages import details, drill, help_lines, history
from lbdeploy.cli.report.live.sections import sections
from lbdeploy.config.model import Cluster


def test_details_have_what_a_narrow_table_leaves_out(seed: Cluster) -> None:
    """Of each row; of a node that is not well also why, and what to do."""
    shown = watched(fault(seed))
    rows = [row for each in sections(shown) for row in each.rows]
    told = {row.key[-1]: "\n".join(text(line) for line in details(shown, row)) for row in rows}
    assert "192.168.0.11 on ens33" in told["lb1"]
    assert "haproxy is inactive" in told["lb1"]
    assert "journalctl -u haproxy" in told["lb1"]
    assert "last run" in told["lb2"]
    assert "holder      lb2" in told["192.168.0.10"]
    assert "192.168.1.22:6443" in told["master2"]


def test_drills_are_offered_with_what_they_cost_on_the_holder(seed: Cluster) -> None:
    lines = [text(line) for line in drill(watched(pair(seed)))]
    assert lines[0].startswith("Nothing is broken from here")
    assert "lbdeploy drill haproxy      0.7 s  lb1: haproxy is stopped" in [" ".join(lines[2:3]).rstrip()]


def test_a_cluster_that_is_not_well_is_not_for_drills(seed: Cluster) -> None:
    assert text(drill(watched(fault(seed)))[0]) == "! Not now: the cluster is degraded. A drill wants a healthy one."


def test_history_has_what_is_wrong_first_and_says_where_more_is(seed: Cluster) -> None:
    lines = [text(line) for line in history(watched(fault(seed)))]
    assert lines[0] == "✗ lb1: haproxy is inactive"
    assert lines[-1].endswith("lbdeploy history")


def test_help_tells_each_key_that_the_last_line_has(seed: Cluster) -> None:
    told = "\n".join(text(line) for line in help_lines(watched(pair(seed))))
    assert all(f"\n{key} " in told for key in ("Enter", "/", "h", "d", "?", "Esc", "q, Ctrl-C"))
