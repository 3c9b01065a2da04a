"""KeyReader that terminals send."""

from __future__ import annotations

import pytest

from lbdeploy.cli.report.live.keys import KeyReader, named


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A", ["up"]),
        ("\x1bOB", ["down"]),
        ("\r", ["enter"]),
        ("\x1b", ["escape"]),
        ("/lb1\r", ["/", "l", "b", "1", "enter"]),
        ("\x1b[15~", []),
        ("\x1b[200~q", []),
        ("\x1b[200~q\x1b[201~w", ["w"]),
        ("\x1b[[Aq", ["q"]),
        ("\x1bq", []),
        ("\x1b[1;5", []),
        ("\x00\x03", []),
        ("\x1b[B\x1b[B", ["down", "down"]),
        ("\x1b[15~\x1bOA\x1b", ["up", "escape"]),
        ("\x1b\x1b[Bq", ["escape", "down", "q"]),
        ("\x1b[Bq", ["down", "q"]),
    ],
)
def test_each_key_has_a_name_and_what_is_none_has_not(sent: str, keys: list[str]) -> None:
    """A function key, or what was pasted in brackets, must not be taken for letters."""
    assert named(sent) == keys


def test_without_a_terminal_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Pipe())
    with KeyReader() as keys:
        assert keys.read(0.01) == []
