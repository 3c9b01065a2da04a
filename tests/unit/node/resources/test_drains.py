"""The record of drained servers: what is written is read again, and what another node says stays data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lbdeploy.node.resources.drains import MOST, Drain, agreed, parse, render

ONE = Drain("k8s-api", "master1", 1795971480, "ann@laptop")
TWO = Drain("k8s-api", "master2", 1795971481, "bob")
PORTS = {("k8s-api", "master1"): 6443, ("k8s-api", "master2"): 7443, ("web", "w1"): 80}


def test_what_is_written_is_read_again() -> None:
    """Each server with since when and by whom; haproxy's own line has the port of hosts.toml."""
    text = render([TWO, ONE], PORTS)
    assert parse(text) == (ONE, TWO)
    assert text.startswith("1\n#")
    assert "\n0 k8s-api 0 master2 - 0 8 1 1 0 1 0 0 6 0 0 0 - 7443 -\n" in text


def test_haproxy_gets_as_many_fields_as_every_version_reads() -> None:
    """20: haproxy 2.2 writes as many, later ones write more and read these."""
    (line,) = [each for each in render([ONE], PORTS).splitlines() if each.startswith("0 ")]
    assert len(line.split()) == 20


def test_nothing_else_outlives_a_server() -> None:
    """What hosts.toml does not have is not written."""
    assert parse(render([ONE, Drain("k8s-api", "gone", 1, "x"), Drain("old", "master1", 1, "x")], PORTS)) == (ONE,)


@pytest.mark.parametrize(
    "text",
    ["", "1\n", "garbage", "# drained", "# drained a/b since x by me", "# drained a b/c since 1 by me", "\0" * 99],
)
def test_what_makes_no_sense_is_passed_over(text: str) -> None:
    """A file that somebody has edited drains nobody."""
    assert parse(text) == ()


def test_who_drained_is_one_line_of_bounded_length() -> None:
    """Whatever a node says: no control character of it reaches a file or a screen."""
    (found,) = parse(f"# drained k8s-api/master1 since 5 by \x1b[2Jann{'x' * 999}")
    assert found.by.startswith("?[2Jann")
    assert len(found.by) == MOST
    evil = replace(ONE, by="ann\n0 k8s-api 0 master2 - 0 8 1 1 0 1 0 0 6 0 0 0 - 6443 -")
    assert [each.pair for each in parse(render([evil], PORTS))] == [ONE.pair]
    assert len(render([evil], PORTS).splitlines()) == 4


def test_since_when_is_told_in_utc() -> None:
    """For people to the minute, for programs as in RFC 3339."""
    assert ONE.told == "since 2026-11-29 16:58 UTC by ann@laptop"
    assert ONE.to_json() == {"since": "2026-11-29T16:58:00Z", "by": "ann@laptop"}


USED = {"k8s-api": ["master1", "master2", "master3"], "web": ["w1"]}


def test_a_node_without_a_record_takes_over_what_all_others_agree_on() -> None:
    """What only one of them says counts for nothing."""
    assert agreed([], USED) == ()
    assert agreed([(ONE,), ()], USED) == ()
    assert agreed([(ONE, TWO), (replace(ONE, by="bob"),)], USED) == (ONE,)


def test_no_other_node_takes_the_last_server_away() -> None:
    """A frontend of which all servers would be drained keeps them."""
    assert agreed([(ONE, Drain("web", "w1", 1, "x"))], USED) == (ONE,)
