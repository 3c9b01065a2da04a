"""What lbdeploy knows of Debian."""

from __future__ import annotations

import pytest

from lbdeploy.common.debian import at_boot, drop_in, lists_packages, of_apt, of_systemd, unit_file


@pytest.mark.parametrize(
    ("path", "readers"),
    [
        ("/etc/apt/sources.list.d/lbdeploy.sources", {of_apt, lists_packages}),
        ("/etc/apt/keyrings/lbdeploy-x.asc", {of_apt}),
        ("/etc/apt-x/file", set()),
        ("/etc/systemd/system/haproxy.service.d/lbdeploy.conf", {of_systemd}),
        ("/etc/sysctl.d/zz-lbdeploy.conf", {at_boot}),
        ("/etc/haproxy/haproxy.cfg", set()),
    ],
)
def test_who_reads_a_file_is_known_by_its_path(path: str, readers: set[object]) -> None:
    """apt's are needed before packages are installed, systemd has to be told of its own, and some wait for a boot."""
    assert {each for each in (of_apt, lists_packages, of_systemd, at_boot) if each(path)} == readers


def test_units_are_where_systemd_looks_first() -> None:
    """In the administrator's folder; a drop-in in one beside the unit file."""
    assert unit_file("x") == "/etc/systemd/system/x.service"
    assert drop_in("x", "mine") == "/etc/systemd/system/x.service.d/mine.conf"
