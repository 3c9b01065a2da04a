"""The rows of a drill's timeline."""

from __future__ import annotations

from itertools import pairwise

import pytest
from builders import SEED
from drills import result
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.config import reader
from lbdeploy.operations.drill.timeline import timeline

patterns = st.text(alphabet=".x", max_size=80)


@given(patterns.filter(lambda pattern: "." in pattern))
def test_the_rows_of_a_timeline_have_no_holes(pattern: str) -> None:
    shown = timeline(result(reader.load(SEED), pattern))
    for row in (*shown.vips, *shown.nodes):
        assert all(one.end == pytest.approx(two.start) for one, two in pairwise(row.spans))
        assert all(span.start < span.end for span in row.spans)
