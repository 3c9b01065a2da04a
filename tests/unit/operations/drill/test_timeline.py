"""The rows of a drill's timeline."""

from __future__ import annotations

from itertools import pairwise

import pytest
from builders import SEED
from drills import VIP, result
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.config import reader
from lbdeploy.operations.drill.timeline import timeline
from lbdeploy.operations.outage.watch import Silence

patterns = st.text(alphabet=".x", max_size=80)

silences = st.lists(st.tuples(st.floats(990, 1004), st.floats(0.01, 9)), max_size=5)


@given(silences)
def test_the_row_of_a_vips_watches_has_no_holes(found: list[tuple[float, float]]) -> None:
    """Whatever order they were silent in, and however these times overlap."""
    watched = tuple(Silence(VIP, start, start + length) for start, length in found)
    (row,) = timeline(result(reader.load(SEED), silences=watched, watches=1)).watches
    assert row.label == f"{VIP} watch"
    assert all(one.end == pytest.approx(two.start) for one, two in pairwise(row.spans))
    longest = max((each.end for each in watched), default=0.0)
    assert any(span.state == "silent" for span in row.spans) == (longest > 1000.0)


@given(patterns.filter(lambda pattern: "." in pattern))
def test_the_rows_of_a_timeline_have_no_holes(pattern: str) -> None:
    shown = timeline(result(reader.load(SEED), pattern))
    for row in (*shown.vips, *shown.nodes):
        assert all(one.end == pytest.approx(two.start) for one, two in pairwise(row.spans))
        assert all(span.start < span.end for span in row.spans)
