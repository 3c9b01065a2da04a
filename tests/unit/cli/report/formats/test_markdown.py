"""plan for a merge request."""

from __future__ import annotations

from typing import Any

from documents import HEAD

from lbdeploy.cli.report.formats import Format

DIFF = "--- a\n+++ b\n+```\n"


def planned(*changes: dict[str, Any], **more: Any) -> str:
    stages = [{"nodes": ["lb2"], "way": "reload", "cost": "clients notice nothing"}]
    return Format("markdown").text({**HEAD, "changes": list(changes), "stages": stages, **more})


def change(node: str, name: str = "/etc/haproxy/haproxy.cfg", diff: str = DIFF) -> dict[str, Any]:
    return {
        "node": node,
        "kind": "file",
        "name": name,
        "action": "update",
        "reason": "its content differs",
        "diff": diff,
    }


def test_the_same_diff_on_two_nodes_is_shown_once() -> None:
    """A table has every change, and the diff is folded below it, in a fence that it can not leave."""
    text = planned(change("lb1"), change("lb2"))
    assert "2 changes on lb1, lb2." in text
    assert "1. lb2: clients notice nothing" in text
    assert "| lb1 | update | file `/etc/haproxy/haproxy.cfg` | its content differs |" in text
    assert text.count("<details>") == 1
    assert "````diff" in text


def test_nothing_to_do_is_one_sentence() -> None:
    """Reviewers need not open anything."""
    assert planned().splitlines() == [
        "### lbdeploy plan: k8s-api",
        "",
        "Nothing to do: the nodes are as hosts.toml says.",
    ]


def test_what_up_would_refuse_is_told_before_the_steps() -> None:
    """A reviewer who merges that gets a pipeline that fails."""
    why = {"message": "the last healthy node", "node": "lb2", "fix": "bring lb1 up"}
    lines = planned(change("lb2"), refused=[why]).splitlines()
    told = lines.index("**`up` would refuse this:** lb2: the last healthy node; bring lb1 up")
    assert told < lines.index("1. lb2: clients notice nothing")


def test_text_is_no_markup() -> None:
    """What a node said ends no cell."""
    assert "its content \\| \\<b\\>" in planned({**change("lb1"), "reason": "its content | <b>"})


def test_a_node_that_could_not_be_looked_at_is_told_first() -> None:
    """With what is known of the others below."""
    text = planned(change("lb2"), error={"message": "no answer", "node": "lb1"})
    assert "**Not all could be looked at:** lb1: no answer" in text
    assert "1 changes" not in text
