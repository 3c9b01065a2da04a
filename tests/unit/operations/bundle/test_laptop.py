"""This machine's part of a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import GOOD

from lbdeploy.operations.bundle.laptop import collect


def log(folder: Path, name: str, file: str, text: str) -> None:
    (folder / "lbdeploy").mkdir(exist_ok=True)
    (folder / "lbdeploy" / name).write_text(
        f"lbdeploy 1, Python 3, 2026-11-29 17:00:00 +0000\nlbdeploy up\n{file}\n{text}\n"
    )


def test_what_is_here_is_collected_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """hosts.toml, templates, versions, and the logs of runs on this file alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    here = cluster(tmp_path, GOOD)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "haproxy.cfg.j2").write_text("stats auth a:s3cret\n")
    log(tmp_path, "20261129T170000-1.log", str(here.path), "lb1: changed\nauth_pass s3cret")
    log(tmp_path, "20261129T170001-1.log", "/elsewhere/hosts.toml", "lb9: changed")
    part = collect(here.path, f'{GOOD}\n# token = "s3cret"\n')
    found = {each.path: each.text for each in part.entries}
    assert found.keys() == {
        "laptop/hosts.toml",
        "laptop/versions.txt",
        "laptop/templates/haproxy.cfg.j2",
        "laptop/logs/20261129T170000-1.log",
    }
    assert "s3cret" not in "".join(found.values())
    assert "lb1: changed" in found["laptop/logs/20261129T170000-1.log"]
    assert "OpenSSH" in found["laptop/versions.txt"]
