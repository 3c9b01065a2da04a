"""Commands over many clusters, offline: what goes on, what stops, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import BAD, Run
from goldens import GOOD


def test_a_bad_file_stops_no_other_and_is_named(run: Run, tmp_path: Path) -> None:
    """Each in the order that was given, in one document, which is worse of the two exit codes."""
    (tmp_path / "bad.toml").write_text(BAD)
    done = run("-f", "bad.toml", "nowhere.toml", "--json", "plan")
    document = done.json
    assert (done.code, document["exit_code"], document["ok"]) == (2, 2, False)
    found = [(each["file"], each["name"], each["exit_code"], each["error"]["type"]) for each in document["clusters"]]
    assert found == [("bad.toml", None, 2, "HostsFile"), ("nowhere.toml", None, 2, "Usage")]
    assert (document["error"]["type"], document["error"]["file"]) == ("HostsFile", "bad.toml")
    assert document["error"]["fix_command"] == ["lbdeploy", "-f", "bad.toml", "check"]
    assert "nowhere: there is no nowhere.toml" in done.err
    assert "0 of 2 clusters" in done.err


def test_the_next_clusters_do_not_begin_after_a_canary_that_failed(run: Run, tmp_path: Path) -> None:
    """What was not begun has no exit code, and is told."""
    (tmp_path / "bad.toml").write_text(BAD)
    done = run("-f", "bad.toml", "-f", "hosts.toml", "plan", "--canary", "1", "--json")
    assert done.code == 2
    assert [each["exit_code"] for each in done.json["clusters"]] == [2, None]
    assert "1 failed, 1 not begun" in done.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("render", "render takes one file"),
        ("plan --lab", "--lab is not for"),
        ("up --ask", "--ask is not for"),
        ("status --watch --canary 1", "--canary or --scheduler with --watch is not for"),
        ("status --watch", "--watch needs a terminal"),
        ("plan --scheduler tcp://127.0.0.1:9 --ask-sudo", "--ask-sudo"),
        ("plan --parallel 0", "--parallel"),
    ],
)
def test_what_many_clusters_can_not_have_is_refused(run: Run, tmp_path: Path, words: str, complaint: str) -> None:
    """With exit 2, before anything is begun."""
    (tmp_path / "b.toml").write_text(GOOD)
    done = run("-f", "hosts.toml", "b.toml", *words.split())
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err


def test_documents_of_many_clusters_are_not_watched(run: Run, tmp_path: Path) -> None:
    """One file at a time: a line for each of many would not say whose turn it is."""
    (tmp_path / "b.toml").write_text(GOOD)
    done = run("-f", "hosts.toml", "b.toml", "--json", "status", "--watch")
    assert (done.code, done.json["error"]["message"]) == (
        2,
        "--json status --watch is not for a run over many clusters",
    )
