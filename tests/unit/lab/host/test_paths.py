"""A lab's name, and where its files are."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.lab.host.paths import place_of


def test_a_lab_is_named_after_its_cluster_and_its_file(tmp_path: Path) -> None:
    one, other = place_of("k8s", tmp_path / "a"), place_of("k8s", tmp_path / "b")
    assert one != other
    assert one.id.startswith("k8s-")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert place_of("k8s", tmp_path / "link") == one
