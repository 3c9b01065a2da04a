"""Lines of configuration are split into words as haproxy and keepalived split them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.common.config_words import haproxy_arguments, haproxy_words, keepalived_words

LINES = st.text(st.sampled_from(["a", " ", "\t", "'", '"', "\\", "#", "x", "4", "1", "é"]), max_size=30)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  a  b\tc", ["a", "b", "c"]),
        ("'a b' c", ["a b", "c"]),
        ('a"b c"d', ["ab cd"]),
        (r"a\ b c\\", ["a b", "c\\"]),
        (r"'a\ b'", [r"a\ b"]),
        (r'"a\"b" \'c', ['a"b', "'c"]),
        (r"\x41\x62 \x4", ["Ab", r"\x4"]),
        (r"a\1 \n", [r"a\1", "\n"]),
        ("'it\"s' \"it's\"", ['it"s', "it's"]),
        ("'open quote", ["open quote"]),
        ("a #b", ["a", "#b"]),
    ],
)
def test_haproxys_words(line: str, words: list[str]) -> None:
    """Quotes within words, escapes, and a quote that is not closed; comments are words, too."""
    assert [word for word, _ in haproxy_words(line)] == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('  script "/x --y z" a', ["script", "/x --y z", "a"]),
        ('a"b c"d', ["a", "b c", "d"]),
        (r'"a\" b', ["a\\", "b"]),
        ("auth_pass 'a b'", ["auth_pass", "'a", "b'"]),
        ('"open quote', ["open quote"]),
    ],
)
def test_keepaliveds_words(line: str, words: list[str]) -> None:
    """Only double quotes quote, and nothing is escaped."""
    assert [word for word, _ in keepalived_words(line)] == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bind *:80 # all", ["bind", "*:80"]),
        ("a#b c", ["a"]),
        (r"a\#b '#'" + ' "#"', ["a#b", "#", "#"]),
        ('"$A" \'$A\' $A "${A}/${B-x y}" "${B}"', ["1", "$A", "$A", "1/x y", ""]),
        (r'"\$A" "a"' + "'b'c", ["$A", "abc"]),
        ('""', [""]),
    ],
)
def test_haproxys_arguments(line: str, words: list[str]) -> None:
    """Without the comment, which begins within a word, too; variables between double quotes."""
    assert list(haproxy_arguments(line, {"A": "1"})) == words


@given(st.lists(st.text(min_size=1), max_size=5))
def test_what_is_quoted_is_read_back(words: list[str]) -> None:
    """Any text, between single quotes and with escapes outside of them."""
    quoted = ("'" + word.replace("'", "'\\''") + "'" for word in words)
    assert list(haproxy_arguments(" ".join(quoted), {})) == words


@given(LINES)
def test_a_line_without_quotes_has_the_words_that_it_has_beside_one(line: str) -> None:
    """Most lines have none, and are split in a quicker way."""
    assert haproxy_arguments('"" ' + line, {})[1:] == haproxy_arguments(line, {})


@given(LINES)
def test_each_word_is_where_it_is_said_to_be(line: str) -> None:
    """In order, none begins with a space, and no text makes it fail."""
    for words in (list(haproxy_words(line)), list(keepalived_words(line))):
        starts = [start for _, start in words]
        assert starts == sorted(set(starts))
        assert not any(line[start].isspace() for start in starts)
