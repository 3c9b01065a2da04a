"""The lbdeploy command in this process, with a sample hosts.toml that is well and one that is not."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import SEED

from lbdeploy.cli import main

LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))
GOOD = SEED.read_text()
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
        return json.loads(self.out)


Run = Callable[..., Ended]


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
