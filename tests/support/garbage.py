"""What a node may answer instead of what was asked: any text, bytes that are no text, and what almost makes sense."""

from __future__ import annotations

import re

from hypothesis import strategies as st

WORDS = (
    "", " ", "\n", "\x00", "\x1b[2J", "\u202e", "\udcff", "-1", "1e999", "nan", "inf", "9" * 400, "0x10", "٣", "=", ":",
    ",", "AAA", "A===", "[", "{", '"', "'", "#", "|", "/", "1", "true", "null", "soon", "file", "known",
)  # fmt: skip

# As an answer is decoded: bytes that are not UTF-8 are halves of surrogate pairs.
anything = st.binary(max_size=80).map(lambda raw: raw.decode(errors="surrogateescape"))
pieces = st.one_of(anything, st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), max_size=6).map("".join))


@st.composite
def garbled(draw: st.DrawFn, text: str) -> str:
    """A good answer in which some words or lines are others, are there twice, or are missing; or another text."""
    parts = re.findall(r"\S+|\s+", text)
    if not parts or draw(st.integers(0, 4)) == 0:
        return draw(pieces)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        what = draw(st.integers(0, 3))
        parts[at : at + 1] = [draw(pieces)] if what else []
        if what == 3:
            parts += parts[at : at + 5]
        parts = parts or [""]
    return "".join(parts)
