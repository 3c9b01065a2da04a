"""Mistakes in lbdeploy itself: what is said, and what is written down."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from console import End, Run, written

from lbdeploy.cli.app import App
from lbdeploy.events import Note


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


def test_what_goes_wrong_as_a_worker_hands_in_its_result_goes_to_the_log(
    end: End, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second Ctrl-C may have taken the lock away that its future needs; chaos seed 70216."""

    def broken(app: App) -> None:
        app.emit(Note(None, "something"))
        monkeypatch.setattr(Future, "set_result", lambda *_: 1 // 0)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(str)
        raise KeyboardInterrupt

    code, said = end(broken)
    assert code == 130
    assert "Traceback" not in said
    assert "ZeroDivisionError" in written(tmp_path)


def test_a_mistake_of_its_own_leaves_a_log_and_no_traceback(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expected ends with exit 1, a message, and a log that only its owner can read."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr("lbdeploy.config.loading.known.load", broken)
    done = run("--json", "check")
    assert (done.code, done.json["ok"]) == (1, False)
    (log,) = (tmp_path / "state").rglob("*.log")
    assert log.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError: nobody expected this" in log.read_text()
    assert str(log) in done.json["error"]["fix"]
