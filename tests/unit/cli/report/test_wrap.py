"""Lines that are broken to a width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.cli.report.wrap import columns, wrapped

WORDS = st.lists(st.tuples(st.text(st.sampled_from("ab 漢é ")), st.sampled_from(["", "good"])))


@given(WORDS, st.integers(4, 40))
def test_wrapping_loses_nothing(pairs: list[tuple[str, str]], width: int) -> None:
    """Every word is there, in order and with its style; a line is too long only where it is a single word."""
    lines = wrapped(pairs, width)
    whole = "".join(text for text, _ in pairs)
    assert " ".join("".join(text for text, _ in line) for line in lines).split() == whole.split()
    styled = [(c, style) for text, style in pairs for c in text if c != " "]
    assert [(c, style) for line in lines for text, style in line for c in text if c != " "] == styled
    for line in lines:
        text = "".join(text for text, _ in line)
        assert columns(text.rstrip()) <= width or len(text.split()) == 1
