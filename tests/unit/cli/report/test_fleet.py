"""The report of many clusters."""

from __future__ import annotations

import pytest
from jobs import result

from lbdeploy.cli.report.fleet import said


@pytest.mark.parametrize(
    ("code", "document", "words"),
    [
        (None, {}, "not begun"),
        (0, {"changes": []}, "nothing to do"),
        (3, {"changes": [{"node": "lb1"}, {"node": "lb2"}, {"node": "lb1"}]}, "3 changes on lb1 and lb2"),
        (4, {"error": {"message": "gone\nfor good", "node": "lb1"}}, "lb1: gone"),
        (6, {"findings": [{"severity": "error"}, {"severity": "warning"}], "vips": [{"holders": []}]},
         "1 check failed, VIPs on nobody"),
        (0, {"findings": [{"severity": "ok"}], "vips": [{"holders": ["lb2"]}] * 2}, "healthy, VIPs on lb2"),
        (4, {"nodes": [{"node": "lb1", "reachable": False}], "warnings": [1], "vips": []},
         "lb1 can't be looked at, 1 warning"),
    ],
)  # fmt: skip
def test_what_came_of_a_cluster_in_a_few_words(code: int | None, document: dict[str, object], words: str) -> None:
    """From its document alone, which may come from another machine."""
    assert said(result("a", code, **document)) == words
