"""The lbdeploy command in this process, with a sample hosts.toml that is well and one that is not."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import SEED
from goldens import GOOD
from schemas import conforming

from lbdeploy.cli import main
from lbdeploy.cli.app import App

LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))
BAD = GOOD.replace("router_id = 101", "router_id = 300").replace('"192.168.0.10/24"', '"192.168.0.10"')


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1, "standard output is one document"
        return conforming(json.loads(self.out))


Run = Callable[..., Ended]
Do = Callable[[App], object]
End = Callable[..., tuple[int, str]]
Shell = Callable[..., subprocess.CompletedProcess[str]]


def running(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the console script's function in this process, in an empty folder with the sample hosts.toml."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    def call(*args: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["lbdeploy", *args])
        with pytest.raises(SystemExit) as left:
            main.main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ended(int(left.value.code or 0), printed.out, printed.err)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.delenv("LBDEPLOY_FILE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.chdir(folder)
    (folder / "hosts.toml").write_text(GOOD)
    yield call
    gc.enable()  # main turns it off: a process that ends soon has no use for it


def ending(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[End]:
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
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.setenv("LBDEPLOY_FILE", str(SEED))
    yield call
    gc.enable()
    threading.excepthook, sys.unraisablehook = hooks[:2]
    signal.signal(signal.SIGTERM, hooks[2])
    signal.signal(signal.SIGHUP, hooks[3])


def written(folder: Path) -> str:
    (log,) = folder.rglob("*.log")
    return log.read_text()


def shell_in(folder: Path) -> Shell:
    """Runs a command line of a shell, which has lbdeploy as $L, beside the sample hosts.toml."""
    (folder / "hosts.toml").write_text(GOOD)

    def call(line: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LBDEPLOY_FILE": "", "L": LBDEPLOY, "XDG_STATE_HOME": str(folder / "state")}
        argv = ["unshare", "--net", "sh", "-c", line] if os.geteuid() == 0 else ["sh", "-c", line]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder, env=env, timeout=30)
        assert "Traceback" not in done.stderr
        assert "a mistake in lbdeploy" not in done.stderr
        return done

    return call
