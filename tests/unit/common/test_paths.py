"""Paths of this machine's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.common.paths import home_expanded


def test_the_home_of_nobody_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped ~ is a file that does not exist, and no crash."""
    monkeypatch.setenv("HOME", "/home/me")
    assert home_expanded("~/id") == Path("/home/me/id")
    assert home_expanded("~no-such-user/id") == Path("~no-such-user/id")
    assert home_expanded("~0") == Path("~0")
