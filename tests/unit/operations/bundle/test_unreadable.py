"""A bundle where hosts.toml can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.errors import HostsFileError, Problem
from lbdeploy.operations.bundle.unreadable import bundle_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[cluster]\nname = "k8s-api"\n', "k8s-api"),
        ('[cluster]\nname = "../../etc"\n', "unreadable"),
        ("[cluster\n", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_it_has_a_name_that_is_one_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str
) -> None:
    """Whatever the file says: it becomes the name of a folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = tmp_path / "hosts.toml"
    found = bundle_of(file, text, HostsFileError(file, [Problem("odd", ("vrrp",), "is odd", "make it even", 3)]))
    assert found.cluster == name
    assert found.name.startswith(f"lbdeploy-{name}-")
    entries = {each.path: each.text for each in found.entries}
    assert "hosts.toml:3: vrrp: is odd; make it even" in entries["laptop/problems.txt"]
    assert entries["laptop/hosts.toml"] == text
    assert [each.what for each in found.missing] == ["the nodes"]
    assert found.nodes == ()
