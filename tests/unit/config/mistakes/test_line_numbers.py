"""The lines of hosts.toml on which keys stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster

from lbdeploy.errors import HostsFileError


def test_lines_are_found_however_a_table_is_written(tmp_path: Path) -> None:
    """Dotted keys, inline tables, quoted keys and arrays over several lines have their lines, too."""
    text = (
        'cluster.name = "a b"\n'
        "nodes.lb1.priority = 300\n"
        'nodes."lb2" = { priority = 0, a = "10.0.0.1" }\n'
        'networks = { a = { vip = [\n"10.0.0.9/24",\n"10.0.9/24"], interface = "e th" } }\n'
    )
    with pytest.raises(HostsFileError) as caught:
        cluster(tmp_path, text)
    found = {problem.key: problem.line for problem in caught.value.problems}
    lines = {"cluster.name": 1, "nodes.lb1.priority": 2, "nodes.lb2.priority": 3}
    assert found | lines | {"networks.a.vip": 4, "networks.a.interface": 6} == found
