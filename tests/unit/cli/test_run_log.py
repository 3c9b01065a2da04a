"""The log of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.cli import run_log
from lbdeploy.cli.run_log import KEPT, Logbook
from lbdeploy.common.shell import cmd
from lbdeploy.events import Note, RemoteCommand, Step
from lbdeploy.node.remote import readable, remote_text


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "lbdeploy"


def test_everything_that_happens_is_written_and_is_its_owners_alone(state: Path) -> None:
    """Steps, notes, scripts and their answers, with who and when; a script that was there before only once."""
    log = Logbook(["lbdeploy", "-f", "my hosts.toml", "up"], "/etc/my hosts.toml")
    log.event(Step("lb1", "look"))
    log.event(Note(None, "waiting"))
    for nonce in ("0123456789abcdef", "fedcba9876543210"):
        log.event(RemoteCommand("lb1", "sudo -n -- sh -s", f"echo {nonce}\n", "first\nsecond\n", 0.12, 3))
    path, trouble = log.close()
    assert path
    assert not trouble
    text = path.read_text()
    assert "lbdeploy -f 'my hosts.toml' up\n/etc/my hosts.toml\n" in text
    assert "lb1: look\n" in text
    assert "lb1: sudo -n -- sh -s: 0.12 s, exit status 3\n" in text
    assert text.count("    > echo NONCE") == 1
    assert text.count("the same script as at") == 1
    assert text.count("    < first\n    < second\n") == 2
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


def test_a_folder_that_was_open_to_others_is_so_no_more(state: Path) -> None:
    """Whoever made it."""
    state.mkdir(mode=0o755)
    log = Logbook(["lbdeploy"])
    log.write("something")
    assert log.close()[0]
    assert state.stat().st_mode & 0o777 == 0o700


def test_a_user_without_a_home_has_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither HOME nor an entry in passwd: then nothing is written into a folder called ~ in the current one."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", str)
    monkeypatch.chdir(tmp_path)
    log = Logbook(["lbdeploy"])
    log.write("something")
    path, trouble = log.close()
    assert (path, "whose home" in trouble) == (None, True)
    assert not list(tmp_path.iterdir())


def test_whatever_goes_wrong_with_it_is_no_traceback(
    state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is written by a thread, whose exceptions would be printed."""

    def broken(*_: object, **__: object) -> Path:
        raise RuntimeError("no home can be found")

    monkeypatch.setattr("lbdeploy.cli.run_log.logs", broken)
    log = Logbook(["lbdeploy"])
    log.write("something")
    assert log.close() == (None, "RuntimeError: no home can be found")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["listen-vrrp.pl", "send-vrrp.pl", "find-address-owner.pl", "probe-vrrp-listener.pl"])
def test_programs_that_come_with_lbdeploy_are_only_named(name: str) -> None:
    """They are words of a command, and so they are quoted."""
    wire = RemoteCommand("lb1", "sh -s", f"echo\n{cmd('perl', '-e', remote_text(name), 3)}\n", "", 0.1, 0)
    assert readable(wire.script) == f"echo\nperl -e lbdeploy/node/remote/{name} 3\n"


def test_each_line_of_an_answer_is_marked_however_it_ends() -> None:
    """HTTP's lines end in CR LF; nothing is written for an empty answer."""
    assert (
        "\n".join(run_log._indented("< ", "HTTP/1.1 200 OK\r\n\r\nlb1\n")) == "    < HTTP/1.1 200 OK\n    < \n    < lb1"
    )
    assert [*run_log._indented("< ", "\n")] == []
