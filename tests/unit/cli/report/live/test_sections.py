"""The tables of the live screen."""

from __future__ import annotations

from statuses import pair
from watching import text, watched

from lbdeploy.cli.report.live.sections import sections
from lbdeploy.config.model import Cluster


def test_each_node_vip_and_server_has_a_row(seed: Cluster) -> None:
    found = [(each.noun, [row.key for row in each.rows]) for each in sections(watched(pair(seed)))]
    assert found == [
        ("node", [("lb1",), ("lb2",)]),
        ("VIP", [("192.168.0.10",), ("192.168.1.10",)]),
        ("server", [("k8s-api", "master1"), ("k8s-api", "master2"), ("k8s-api", "master3")]),
    ]


def test_a_row_has_a_cell_for_each_heading(seed: Cluster) -> None:
    assert all(len(row.cells) == len(each.heads) for each in sections(watched(pair(seed))) for row in each.rows)


def test_a_text_is_looked_for_in_all_cells_whatever_its_case(seed: Cluster) -> None:
    found = sections(watched(pair(seed)), "MASTER")
    assert [row.key[-1] for each in found for row in each.rows] == ["lb1", "master1", "master2", "master3"]
    assert [each.whole for each in found] == [2, 2, 3]
    assert text(found[0].rows[0].cells[1]) == "MASTER"
