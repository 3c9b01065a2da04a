"""Quoting of shell text, judged by a real shell."""

from __future__ import annotations

import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbdeploy.common.shell import Raw, cmd, here

# What an argument of a command can hold at all: any text without NUL.
arguments = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def sh(script: str) -> str:
    return subprocess.run(["sh", "-c", script], check=True, capture_output=True).stdout.decode()


@given(st.lists(arguments, max_size=4))
@example(["", "'", '"', "$(id)", "`id`", "\\", "a\nb", "*", "~", "-n", "#", ";", "!", "%s", "é", "{a,b}"])
@settings(max_examples=40)
def test_every_word_arrives_as_it_is(words: list[str]) -> None:
    """Each argument reaches the command as one word, whatever it holds."""
    assert sh(cmd("printf", "%s\\0", "first", *words)).split("\0")[:-1] == ["first", *words]


@given(arguments)
@settings(max_examples=30)
def test_a_text_is_one_word(text: str) -> None:
    """A text becomes one word of shell text, line breaks included."""
    assert sh(f"set -- {here(text)}; printf '%s|%s' $# \"$1\"") == f"1|{text}"


def test_raw_text_is_left_alone() -> None:
    """What is marked as raw is read by the shell: a redirection, a pipe, a variable."""
    assert sh(cmd("printf", "%s", "a b", Raw("| tr a-z A-Z"))) == "A B"
    assert isinstance(cmd("true"), Raw)


def test_a_command_in_a_command_is_one_word() -> None:
    """A command that is an argument of another is quoted by `here`, since commands are raw by themselves."""
    inner = cmd("printf", "%s", "it's")
    assert sh(cmd("sh", "-c", here(inner))) == "it's"


def test_numbers_and_paths_are_words() -> None:
    """Whatever has a text can be a word."""
    assert cmd("sleep", 1.5) == "sleep 1.5"
