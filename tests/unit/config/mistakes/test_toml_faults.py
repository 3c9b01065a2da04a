"""What is said of texts that are no TOML."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest
from goldens import GOOD

from lbdeploy.config import reader
from lbdeploy.config.mistakes.toml_faults import fault
from lbdeploy.errors import HostsFileError


@pytest.mark.parametrize(
    ("text", "said", "fix"),
    [
        ("a = 5min", "5min is not a value in TOML", "write seconds as a number"),
        ("a = 1_0.0.0", "1_0.0.0 is not a value in TOML", 'write text in quotes: "1_0.0.0"'),
        ("a = on", "on is not a value in TOML", "write true or false"),
        ("a = 'x", "the text is not closed", "write a quote at its end"),
        ("a = '''x\n\n", "the text is not closed", "write ''' at its end"),
        (
            "[a]\n[b]\n[a]",
            "[a] is there twice, lines 1 and 3",
            "put its keys below one of them, or give it another name",
        ),
        ("a = 1\n[b]\na = 2\na = 3", "a is set twice, lines 3 and 4", "remove one of the lines"),
        (
            'a = "x" y',
            "'y' after the value has no meaning",
            "begin a comment with #, and each key on a line of its own",
        ),
    ],
)
def test_a_fault_is_told_in_words(text: str, said: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(HostsFileError) as caught:
        reader.load(tmp_path / "hosts.toml", text)
    (problem,) = caught.value.problems
    assert (problem.message, problem.fix) == (said, fix)


def test_whatever_is_typed_over_a_file_has_a_place_in_it(tmp_path: Path) -> None:
    """A line that there is, a column in it, words, and a remedy."""
    told = 0
    for seed in range(600):
        dice = random.Random(seed)
        at = dice.randrange(len(GOOD))
        text = (
            GOOD[:at]
            + "".join(dice.choices("\"'[]{}=,.\\#\n x1“", k=dice.randint(1, 3)))
            + GOOD[at + dice.randint(0, 4) :]
        )
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            told += 1
            with pytest.raises(HostsFileError) as caught:
                reader.load(tmp_path / "hosts.toml", text)
            (problem,) = caught.value.problems
            line = text.split("\n")[problem.line - 1].rstrip("\r")
            assert problem.source == line
            assert 1 <= problem.column <= len(line) + 1
            assert problem.message
            assert problem.fix
    assert told > 200


def test_a_message_that_is_not_known_is_passed_on() -> None:
    """Of a later Python, perhaps."""
    problem = fault("a = 1", "Something new", 7, 1)
    assert (problem.message, problem.line) == ("not TOML: something new", 1)
