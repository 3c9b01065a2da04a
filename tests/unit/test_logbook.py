"""The log of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.events import Note, Step, Wire
from lbdeploy.logbook import KEPT, Logbook


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "lbdeploy"


def test_everything_that_happens_is_written_and_is_its_owners_alone(state: Path) -> None:
    """Steps, notes, scripts and their answers, with who and when; a script that was there before only once."""
    log = Logbook(["lbdeploy", "-f", "my hosts.toml", "up"])
    log.event(Step("lb1", "look"))
    log.event(Note(None, "waiting"))
    for nonce in ("0123456789abcdef", "fedcba9876543210"):
        log.event(Wire("lb1", "sudo -n -- sh -s", f"echo {nonce}\n", "first\n" + "x" * 10_000, 0.12, 3))
    path, trouble = log.close()
    assert path
    assert not trouble
    text = path.read_text()
    assert "lbdeploy -f 'my hosts.toml' up" in text
    assert "lb1: look\n" in text
    assert "lb1: sudo -n -- sh -s: 0.12 s, exit status 3, 10006 characters" in text
    assert text.count("    > echo NONCE") == 1
    assert text.count("the same script as at") == 1
    assert "4006 characters more" in text
    assert (path.stat().st_mode & 0o777, state.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_run_that_contacts_nothing_leaves_none(state: Path) -> None:
    assert Logbook(["lbdeploy", "check"]).close() == (None, "")
    assert not state.exists()


def test_old_ones_go(state: Path) -> None:
    """Those of the last runs stay."""
    state.mkdir()
    for number in range(KEPT + 5):
        (state / f"20200101T0000{number:02}-1.log").touch()
    log = Logbook(["lbdeploy"])
    log.write("something")
    path, _ = log.close()
    left = sorted(state.iterdir())
    assert len(left) == KEPT
    assert left[-1] == path


def test_where_none_can_be_written_that_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason to fail."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    log = Logbook(["lbdeploy"])
    log.write("something")
    path, trouble = log.close()
    assert path is None
    assert "Not a directory" in trouble
    log.write("more")
    assert log.close() == (None, "")
