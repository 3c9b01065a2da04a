"""haproxy.cfg as haproxy reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations.adopt.reading.haproxy_cfg import Section, parse, seconds


def read(text: str, **environment: str) -> list[Section]:
    return parse({"/etc/haproxy/haproxy.cfg": text}, environment)


def test_sections_have_their_lines_and_the_defaults_before_them() -> None:
    """The last section defaults, or the one that is named with `from`, which may itself be from another."""
    found = read(
        "defaults\n mode http\n timeout client 1s\ndefaults tcp\n mode tcp\n"
        "defaults slow from tcp\n timeout client 9s\n"
        "frontend a\n bind :80\nlisten b from tcp\n mode http\nbackend c from slow\n timeout server 1s\n"
    )
    a, b, c = found[3:]
    assert (a.kind, a.name, a.mode, a.last("timeout", "client").words[2]) == ("frontend", "a", "tcp", "9s")  # type: ignore[union-attr]
    assert (b.mode, b.last("timeout", "client")) == ("http", None)
    assert (c.mode, len(c.own("timeout")), c.last("timeout", "client").place.line) == ("tcp", 1, 7)  # type: ignore[union-attr]


def test_an_option_may_be_taken_back() -> None:
    found = read("defaults\n option tcplog\n option redispatch\nlisten a\n no option redispatch\n")
    assert [found[1].has_option(name) for name in ("tcplog", "redispatch", "httpchk")] == [True, False, False]


def test_variables_are_those_of_the_process_and_of_the_section_global() -> None:
    """Between double quotes only."""
    text = 'global\n setenv PORT 6443\n presetenv HOST x\nlisten "${NAME-a}"\n bind "$HOST:${PORT}" $HOST \'$HOST\'\n'
    listen = read(text, HOST="10.0.0.1")[1]
    assert (listen.name, listen.lines[0].words) == ("a", ("bind", "10.0.0.1:6443", "$HOST", "$HOST"))


@pytest.mark.parametrize(
    ("condition", "branch"),
    [("1", "a"), ("0", "c"), ("defined(X)", "a"), ("!defined(X)", "c"), ("false", "c"), ("", "c")],
)
def test_conditions_that_can_be_told_are_followed(condition: str, branch: str) -> None:
    """One branch of each, also within others."""
    text = f"global\n.if {condition}\n a\n.if 0\n x\n.endif\n.elif 0\n b\n.else\n c\n.endif\n d\n"
    assert [line.words[0] for line in read(text, X="1")[0].lines] == [branch, "d"]


def test_lines_under_a_condition_that_only_haproxy_can_judge_are_marked() -> None:
    text = "global\n.if version_atleast(2.4)\n a\n.else\n b\n.endif\n c\n"
    assert [(line.words[0], line.unread) for line in read(text)[0].lines] == [("a", True), ("b", True), ("c", False)]


def test_the_files_are_read_in_order_as_one() -> None:
    found = parse({"/a": "defaults\n mode http\n", "/b/1.cfg": "listen a\n"}, {})
    assert (found[1].mode, found[1].head.place.file) == ("http", "/b/1.cfg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5000", 5.0),
        ("5s", 5.0),
        ("50ms", 0.05),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("x", None),
        ("5 s", None),
        ("1.5s", None),
    ],
)
def test_times_are_in_milliseconds_unless_they_say_otherwise(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


@given(st.text(alphabet=st.sampled_from("ab .$\"'\\#\n{}-if")))
def test_no_text_makes_it_fail(text: str) -> None:
    for section in read("listen x\n" + text):
        assert all(line.words for line in section.lines)
