"""lbdeploy's own folders and files on a node."""

from __future__ import annotations

import re

from lbdeploy.node import paths
from lbdeploy.node.remote import FOLDER


def test_scripts_name_no_file_of_lbdeploys_that_is_not_listed() -> None:
    """They are given the state folder, and name what is in it: the same names as here."""
    texts = "".join(path.read_text() for path in FOLDER.glob("*.sh"))
    used = {name.rstrip(".") for name in re.findall(r"\$state/([a-z.]+)", texts)} - {"packages.new"}
    listed = {each.removeprefix(f"{paths.STATE}/") for each in vars(paths).values() if isinstance(each, str)}
    assert used <= listed
    assert used > {"journal", "undo", "hosts.toml"}
    assert paths.STATE not in texts
    assert paths.RUN not in texts
    assert paths.STAGED not in texts


def test_a_kernel_setting_has_a_path() -> None:
    """By its name as in sysctl(8)."""
    assert paths.proc_path("net.ipv4.ip_nonlocal_bind") == "/proc/sys/net/ipv4/ip_nonlocal_bind"
