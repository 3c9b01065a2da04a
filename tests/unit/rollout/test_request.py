"""Who asks for a change, in one line, and under which name."""

from __future__ import annotations

import os
import re
import sys

import pytest

from lbdeploy.rollout.request import origin


def test_a_run_is_named_by_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names sort by time, and go into a path and into words of a shell."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lbdeploy", "-f", "my hosts.toml", "up"])
    made = origin("a = 1\n\n")
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z", made.id)
    assert origin("").id >= made.id
    assert made.hosts == "a = 1"
    day = f"{made.id[:4]}-{made.id[4:6]}-{made.id[6:8]}"
    assert re.fullmatch(
        rf"\S+@\S+ \(process {os.getpid()}\), since {day} [\d:]+ UTC: lbdeploy -f 'my hosts.toml' up", made.about
    )


@pytest.mark.parametrize("argument", ["a\nexit 0", "\x1b[31m", "\x00", "x" * 5000, "é\u2028"])
def test_whose_run_it_is_is_one_line(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    """It stands in the journal, where every line means something, and on terminals."""
    monkeypatch.setattr(sys, "argv", ["lbdeploy", argument])
    about = origin("").about
    assert about.isprintable()
    assert len(about) <= 500
    assert "lbdeploy" in about
