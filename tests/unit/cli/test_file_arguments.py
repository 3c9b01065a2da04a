"""Several words after -f."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.cli.file_arguments import spread
from lbdeploy.cli.group import ORDER


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("-f a.toml plan", "-f a.toml plan"),
        ("-f a.toml b.toml plan --json", "-f a.toml -f b.toml plan --json"),
        ("-f a.toml -f b.toml plan", "-f a.toml -f b.toml plan"),
        ("plan -f sites/a sites/b --parallel 2", "plan -f sites/a -f sites/b --parallel 2"),
        ("-f plan b.toml plan", "-f plan -f b.toml plan"),
        ("-f a.toml plna", "-f a.toml plna"),  # a typing error is no file
        ("-f a.toml -v b.toml plan", "-f a.toml -v b.toml plan"),
        ("render -f a.toml x.toml", "render -f a.toml x.toml"),  # it has an argument of its own
        ("--file a.toml b.toml -- c.toml", "--file a.toml -f b.toml -- c.toml"),
        ("plan -f", "plan -f"),
        ("lab exec lb1 rm -f a.toml b.toml", "lab exec lb1 rm -f a.toml b.toml"),
        (
            "-f a.toml lab exec -f b.toml lb1 check -f c.toml d/e",
            "-f a.toml lab exec -f b.toml lb1 check -f c.toml d/e",
        ),
    ],
)
def test_words_after_f_are_files_where_they_can_be_nothing_else(typed: str, meant: str) -> None:
    """Several words, as a shell expands a pattern; commands, options and arguments stay what they are."""
    assert spread(typed.split(), ORDER) == meant.split()


def test_what_is_run_in_the_lab_keeps_its_patterns(tmp_path: Path) -> None:
    """They are the node's to expand; what stands before its name is lbdeploy's."""
    (tmp_path / "a.toml").touch()
    pattern = f"{tmp_path}/*.toml"
    own, typed = ["lab", "exec", "-f", pattern, "lb1"], ["rm", "-f", pattern, "--", "-f", pattern]
    assert spread([*own, *typed], ORDER) == ["lab", "exec", "-f", f"{tmp_path}/a.toml", "lb1", *typed]


def test_a_quoted_pattern_is_expanded_in_order(tmp_path: Path) -> None:
    """As a shell would have done it; a pattern that fits nothing is named as it is."""
    for name in ("b.toml", "a.toml", "c.txt"):
        (tmp_path / name).touch()
    assert spread(["-f", f"{tmp_path}/*.toml", "plan"], ORDER) == [
        "-f", f"{tmp_path}/a.toml", "-f", f"{tmp_path}/b.toml", "plan",
    ]  # fmt: skip
    assert spread(["-f", f"{tmp_path}/*.yaml"], ORDER) == ["-f", f"{tmp_path}/*.yaml"]
