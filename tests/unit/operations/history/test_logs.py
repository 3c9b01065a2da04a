"""Which logs are about a hosts.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.operations.history.logs import logs_of


def test_those_that_say_so_in_their_third_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest first; a run over many files is about each of them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "lbdeploy"
    folder.mkdir()
    files = {"1.log": "/a/hosts.toml", "2.log": "/b/hosts.toml, /a/hosts.toml", "3.log": "/a/hosts.toml.old"}
    for name, named in files.items():
        (folder / name).write_text(f"lbdeploy\nlbdeploy up\n{named}\n")
    (folder / "4.log").write_text("short")
    assert [path.name for path in logs_of(Path("/a/hosts.toml"))] == ["2.log", "1.log"]
