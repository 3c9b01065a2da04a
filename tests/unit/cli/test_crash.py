"""How a run ends when nobody planned it: what is said, what is written down, and what never is."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import SEED
from click.exceptions import Exit

from lbdeploy.cli import main
from lbdeploy.cli.app import App
from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node
from lbdeploy.errors import SudoError
from lbdeploy.events import Note, RemoteCommand
from lbdeploy.ssh.transport.session import CommandResult
from lbdeploy.ssh.transport.sudo import Root, masked

Do = Callable[[App], object]
End = Callable[..., tuple[int, str]]
ODD = """a'b"$(c) \\ 漢 %s {}"""


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[End]:
    """Runs `check`, which does something else; its exit code, and what stood on standard error."""
    hooks = threading.excepthook, sys.unraisablehook, signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)

    def leave(code: int) -> None:
        raise SystemExit(code)

    def call(do: Do, *args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lbdeploy", *(args or ["check"])])
        monkeypatch.setattr(App, "cluster", property(do))
        with pytest.raises(SystemExit) as left:
            main.main()
        return int(left.value.code or 0), capsys.readouterr().err

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LBDEPLOY_FILE", str(SEED))
    yield call
    gc.enable()
    threading.excepthook, sys.unraisablehook = hooks[:2]
    signal.signal(signal.SIGTERM, hooks[2])
    signal.signal(signal.SIGHUP, hooks[3])


def written(folder: Path) -> str:
    (log,) = folder.rglob("*.log")
    return log.read_text()


def test_being_told_to_end_is_an_interruption(end: End, tmp_path: Path) -> None:
    """SIGTERM, once nodes are contacted: exit 130, the state of things, and a log that has the end, too."""

    def terminated(app: App) -> None:
        app.emit(Note("lb1", "reload haproxy"))
        os.kill(os.getpid(), signal.SIGTERM)

    code, said = end(terminated)
    assert code == 130
    assert "error: interrupted" in said
    assert f"log: {tmp_path}" in said
    assert "lb1: reload haproxy\n" in written(tmp_path)
    assert "InterruptedRunError: interrupted" in written(tmp_path)
    assert str(SEED) in written(tmp_path)


def test_ctrl_c_at_the_last_words_is_no_traceback(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is impatient sees nothing of Python."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(App, "complain", interrupted)
    code, said = end(interrupted)
    assert code == 130
    assert "Traceback" not in said


def test_a_mistake_in_a_thread_goes_to_the_log(end: End, tmp_path: Path) -> None:
    """Python would print it, in the middle of what is drawn."""

    def broken(app: App) -> None:
        app.emit(Note(None, "something"))
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()
        raise ValueError("and here")

    code, said = end(broken)
    assert code == 1
    assert "Traceback" not in said
    assert "a mistake in lbdeploy: ValueError: and here" in said
    assert "ZeroDivisionError" in written(tmp_path)
    assert "ValueError: and here" in written(tmp_path)


def test_an_unhealthy_cluster_has_its_log_named(end: End, tmp_path: Path) -> None:
    """That is no error, but somebody will look into it; pending changes are nothing to look into."""

    def ended(code: int) -> Do:
        def do(app: App) -> None:
            app.emit(Note(None, "something"))
            app.finish(code)
            raise BrokenPipeError if code == 1 else click_exit

        return do

    click_exit = Exit(0)
    assert end(ended(6))[1].count("log: ") == 1
    assert "log: " not in end(ended(3))[1]
    assert "log: " not in end(ended(0))[1]
    assert end(ended(1)) == (1, "something\n"), "whoever has left is told nothing"


def test_verbosity_adds_up(end: End) -> None:
    """-v before the command and after it are -vv: scripts on the wire, without what was secret of them."""
    seen: list[int] = []

    def look(app: App) -> None:
        seen.append(app.verbose)
        app.emit(RemoteCommand("lb1", "sudo -S -- sh -s", "echo hello\n", "hello\n", 0.1, 0))
        app.emit(RemoteCommand("lb1", "sh -s", "echo long\n" * 1000, "", 0.1, 0))
        raise KeyboardInterrupt

    said = end(look, "-v", "check", "-v")[1]
    assert "lb1 $ sudo -S -- sh -s" in said
    assert "    echo hello\n" in said
    assert "6000 characters more" in said
    assert "echo hello" not in end(look, "check", "-v")[1]
    assert seen == [2, 1]


@pytest.mark.parametrize("password", [ODD, "x"])
def test_a_password_is_masked_where_a_node_repeats_it(password: str) -> None:
    """A shell that took it for a command says so; an error with that in it is shown, logged, and part of JSON."""
    assert masked(f"sh: 1: {password}: not found", f"{password}\n") == "sh: 1: (password): not found"
    assert masked("anything", "") == "anything"
    root = Root(Node("lb1", 100, "lb1", {}, {}), "ops", Answers(sudo_password=password))
    with pytest.raises(SudoError) as raised:
        root.proven(CommandResult(f"sh: 1: {password}: not found\n", 127))
    error = raised.value
    assert f"{password}:" not in f"{error.message} {error.detail} {error.to_json()}"
    assert "(password): not found" in error.message
