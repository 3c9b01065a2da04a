"""Many clusters on one screen."""

from __future__ import annotations

import pytest
from watching import clusters, text

from lbdeploy.cli.report.live.fleet import fleet_screen, last_fleet_screen
from lbdeploy.cli.report.live.layout import width_of
from lbdeploy.cli.report.live.view import LiveView
from lbdeploy.config.model import Cluster


@pytest.mark.parametrize("size", [(60, 14), (80, 24), (140, 40)])
def test_a_row_a_cluster_and_first_how_many_are_how(seed: Cluster, size: tuple[int, int]) -> None:
    lines = fleet_screen(clusters(seed), LiveView(), size)
    assert len(lines) == size[1]
    assert max(map(width_of, lines)) <= size[0]
    assert text(lines[0]).startswith("4 clusters  1 degraded  1 healthy  1 failed")
    assert [text(line).split()[0] for line in lines[2:6]] == ["tokyo", "osaka", "kobe", "nara"]


def test_what_is_wrong_is_in_the_row(seed: Cluster) -> None:
    told = [text(line) for line in fleet_screen(clusters(seed), LiveView(), (140, 24))]
    assert "haproxy is inactive" in told[3]
    assert "there is no file kobe.toml" in told[4]
    assert "connecting" in told[5]


def test_rows_that_do_not_fit_are_counted(seed: Cluster) -> None:
    many = clusters(seed) * 25
    told = [text(line) for line in fleet_screen(many, LiveView(selected=99), (60, 14))]
    assert told[-2] == "  90 more clusters: arrow keys, or / to filter"
    assert len(last_fleet_screen(many, (60, 14))) == 102


def test_a_filter_leaves_clusters(seed: Cluster) -> None:
    told = [text(line) for line in fleet_screen(clusters(seed), LiveView(filter="degraded"), (80, 24))]
    assert [line.split()[0] for line in told[2:-1] if line.strip()] == ["osaka"]
