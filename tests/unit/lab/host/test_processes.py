"""The limits of the kernel on a lab's processes."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.lab.host.processes import too_few_watches


def test_a_machine_that_has_no_inotify_instances_left_is_told(tmp_path: Path) -> None:
    """Nodes don't boot then, and don't say why. A process that ends meanwhile is none."""
    (tmp_path / "sys/fs/inotify").mkdir(parents=True)
    (tmp_path / "sys/fs/inotify/max_user_instances").write_text("20\n")
    (tmp_path / "1/fd").mkdir(parents=True)
    (tmp_path / "1/fd/0").symlink_to("/dev/null")
    for number in range(1, 13):
        (tmp_path / f"1/fd/{number}").symlink_to("anon_inode:inotify")
    assert too_few_watches(tmp_path) == ""
    (tmp_path / "1/fd/13").symlink_to("anon_inode:inotify")
    assert too_few_watches(tmp_path) == "13 of the 20 inotify instances that root may have are taken"
