"""What parsers ask for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations.adopt.reading.sources import Sources, braces


def test_braces_stand_for_several_patterns() -> None:
    """As csh has it, also within each other; a single word in braces is no choice."""
    assert list(braces("a{b,c}d{e,f}")) == ["abde", "abdf", "acde", "acdf"]
    assert list(braces("{foo/{,cat,dog},bar}")) == ["foo/", "foo/cat", "foo/dog", "bar"]
    assert list(braces("a{b}c")) == ["a{b}c"]


@given(st.text(alphabet="a{},", max_size=12))
def test_braces_never_fail(pattern: str) -> None:
    assert list(braces(pattern))


def test_what_is_not_there_is_asked_for_once() -> None:
    sources = Sources()
    assert sources.file("/a") is None
    assert sources.missing == {"/a"}
    sources.add({"/a": {}})
    assert (sources.file("/a"), sources.missing) == (None, set())
