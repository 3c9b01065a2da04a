"""Options, and their values."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Run


@pytest.mark.parametrize(
    "args",
    [
        ("-f", "other.toml", "--json", "check"),
        ("check", "-f", "other.toml", "--json"),
        ("--json", "check", "--file", "other.toml"),
        ("--file=other.toml", "-v", "check", "--json", "-v"),
    ],
)
def test_global_options_are_accepted_before_and_after_the_command(
    run: Run, tmp_path: Path, args: tuple[str, ...]
) -> None:
    """-f, -v and --json mean the same wherever they stand."""
    (tmp_path / "hosts.toml").rename(tmp_path / "other.toml")
    done = run(*args)
    assert (done.code, done.json["command"], done.json["ok"]) == (0, "check", True)


def test_an_unknown_node_is_told_which_there_are(run: Run) -> None:
    """The error names the nodes of the file."""
    for limit in (("lb1,lb3",), ("lb3", "--limit", "lb1"), (" lb1 , lb3",)):
        error = run("--json", "plan", "--limit", *limit).json["error"]
        assert error["message"].startswith("there is no node lb3")
        assert error["fix"] == "one of: lb1, lb2"
