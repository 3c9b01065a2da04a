"""keepalived.conf as keepalived reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry, every, parse
from lbdeploy.operations.adopt.reading.sources import Sources

MAIN = "/etc/keepalived/keepalived.conf"


def read(text: str, files: dict[str, dict[str, str]] | None = None, config_id: str = "lb1") -> tuple[ConfEntry, ...]:
    return parse(Sources({MAIN: {MAIN: text}, **(files or {})}), MAIN, config_id)


def flat(entries: tuple[ConfEntry, ...]) -> list[str]:
    """Each line with the blocks around it."""
    return [
        "/".join([*(" ".join(each.words) for each in around), " ".join(entry.words)])
        for around, entry in every(entries)
        if entry.block is None
    ]


@pytest.mark.parametrize(
    "text",
    [
        "vrrp_instance A {\n priority 5\n}",
        "vrrp_instance A\n{\n priority 5 }",
        "vrrp_instance A { priority 5 }",
        "vrrp_instance A { # why\n ! because\n priority 5 # {\n}\n}",
        'vrrp_instance "A" {\n "priority" 5\n',
        "vrrp_instance A{\npriority 5\n}",
    ],
)
def test_a_block_may_be_written_in_many_ways(text: str) -> None:
    assert flat(read(text)) == ["vrrp_instance A/priority 5"]


def test_words_in_double_quotes_keep_braces_and_comment_signs() -> None:
    (entry,) = read('script "test {a} # ! $HOME"')
    assert entry.words == ("script", "test {a} # ! $HOME")


def test_included_files_are_read_in_their_place() -> None:
    """Relative to the file that includes them, by patterns, with braces; each line knows its own file."""
    files = {
        "/etc/keepalived/conf.d/*.conf": {"/etc/keepalived/conf.d/a.conf": "include ../x.{b,c}\n"},
        "/etc/keepalived/conf.d/../x.b": {"/etc/keepalived/x.b": "priority 7"},
        "/etc/keepalived/conf.d/../x.c": {"/etc/keepalived/x.c": "state BACKUP"},
    }
    found = read("vrrp_instance A {\n include conf.d/*.conf\n}\n", files)
    assert flat(found) == ["vrrp_instance A/priority 7", "vrrp_instance A/state BACKUP"]
    assert [(each.place.file, each.place.line) for each in found[0].block or ()] == [
        ("/etc/keepalived/x.b", 1),
        ("/etc/keepalived/x.c", 1),
    ]


def test_a_file_that_was_not_read_yet_is_asked_for() -> None:
    sources = Sources({MAIN: {MAIN: "include a.conf\ninclude /b/*"}})
    assert parse(sources, MAIN, "lb1") == ()
    assert sources.missing == {"/etc/keepalived/a.conf", "/b/*"}


def test_files_that_include_themselves_end() -> None:
    again = {f"/etc/keepalived/{MAIN}": {}, "/etc/keepalived/me": {"/etc/keepalived/me": "a\ninclude me\ninclude me"}}
    assert len(read("include me", again)) < 200_000


def test_definitions_hold_from_their_line_on() -> None:
    """Also of several lines, between quotes, and of files that are included later."""
    text = (
        "priority $P\n$P=200\npriority $P\npriority ${P}1\n"
        '$PEERS=10.0.0.1 \\\n  10.0.0.2\nunicast_peer {\n $PEERS\n}\nscript "x $P"\n'
    )
    assert flat(read(text)) == [
        "priority $P",
        "priority 200",
        "priority 2001",
        "unicast_peer/10.0.0.1",
        "unicast_peer/10.0.0.2",
        "script x 200",
    ]
    assert read(text)[0].unread


def test_lines_may_be_for_one_host() -> None:
    """By the first part of its name, or by what -i says; ^ is for all others; definitions, too."""
    text = "@lb1 priority 200\n@^lb1 priority 100\n@lb2 $X=b\n@^lb2 $X=a\nstate $X"
    assert flat(read(text)) == ["priority 200", "state a"]
    assert flat(read(text, config_id="lb2")) == ["priority 100", "state b"]


def test_what_only_keepalived_could_unfold_is_marked() -> None:
    assert [each.unread for each in read("~SEQ(n,1,3) x $n\npriority 5")] == [True, False]


def test_the_last_of_a_setting_counts() -> None:
    (instance,) = read("vrrp_instance A {\n priority 5\n priority 6\n}")
    assert (instance.get("priority"), instance.get("state"), instance.value) == ("6", None, "A")


@given(st.text(alphabet=st.sampled_from('ab{}"#!@$=\\\n ^~()')))
def test_no_text_makes_it_fail(text: str) -> None:
    """And what is read is read again from what was read, written plainly."""
    found = read(text)
    assert all(entry.words or entry.block is not None for _, entry in every(found))


WORDS = st.text(alphabet="abcdef0123456789./_-", min_size=1, max_size=8).filter(
    lambda word: not word.startswith("include")
)
TREES = st.recursive(
    st.lists(WORDS, min_size=1, max_size=3),
    lambda inner: st.tuples(st.lists(WORDS, min_size=1, max_size=2), st.lists(inner, max_size=3)),
    max_leaves=12,
)


def written(tree: object) -> str:
    if isinstance(tree, tuple):
        head, inside = tree
        return f"{' '.join(head)} {{\n" + "".join(map(written, inside)) + "}\n"
    assert isinstance(tree, list)
    return f"{' '.join(tree)}\n"


def plain(entry: ConfEntry) -> object:
    words = list(entry.words)
    return words if entry.block is None else (words, [plain(each) for each in entry.block])


@given(st.lists(TREES, max_size=5))
def test_what_is_written_is_read_back(trees: list[object]) -> None:
    """Blocks in blocks, whatever is in them."""
    assert [plain(each) for each in read("".join(map(written, trees)))] == trees
