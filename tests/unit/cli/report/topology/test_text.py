"""The cluster as a picture in a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import BIG, cluster
from statuses import pair

from lbdeploy.cli.report.topology.text import ASCII, UNICODE, Glyphs, lines
from lbdeploy.config.model import Cluster
from lbdeploy.operations.topology import Topology, topology


def drawn(shown: Topology, width: int, glyphs: Glyphs = UNICODE) -> list[str]:
    return [
        "".join(part if isinstance(part, str) else part[0] for part in line) for line in lines(shown, width, glyphs)
    ]


def test_a_live_pair_is_read_without_colours(seed: Cluster) -> None:
    """Who holds what is in shapes and words."""
    rows = drawn(topology(seed, pair(seed)), 80)
    assert "external    ens33  VIP ● 192.168.0.10  on lb1" in rows
    assert "│ ● MASTER, priority 200   │  │ ○ BACKUP, priority 100   │" in rows
    assert any(row.startswith("  ● master1  192.168.1.21:6443  UP L4OK") for row in rows)
    assert rows[-1] == "● in use  ○ standby  ! drained  ✗ not well  · not known"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_it_fits_the_terminal(seed: Cluster, width: int, tmp_path: Path) -> None:
    """Boxes and servers go to the next row where there is no room; no line ends in blanks."""
    for shown in (topology(seed, pair(seed)), topology(cluster(tmp_path, BIG))):
        rows = [row for row in drawn(shown, width) if "  on " not in row and "; on " not in row]
        assert max(map(len, rows)) <= width
        assert [row for row in rows if row != row.rstrip()] == []


def test_without_unicode_it_is_all_ascii(seed: Cluster) -> None:
    """On a serial console, or under LC_ALL=C."""
    assert all(row.isascii() for row in drawn(topology(seed, pair(seed)), 80, ASCII))
