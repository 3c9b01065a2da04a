"""What a machine needs for a lab."""

from __future__ import annotations

import pytest

from lbdeploy.errors import LabError
from lbdeploy.lab.host import requirements


def test_all_that_is_missing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool, path: None if tool in {"mmdebstrap", "systemd-nspawn"} else tool)
    with pytest.raises(LabError, match="systemd-nspawn is not installed; mmdebstrap is not installed") as caught:
        requirements.require(build=True)
    assert "apt-get install mmdebstrap systemd-container" in (caught.value.fix or "")


def test_only_root_may_start_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root") as caught:
        requirements.require(build=False)
    assert caught.value.fix == "sudo lbdeploy lab up"
